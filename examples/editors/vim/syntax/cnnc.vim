" Colours for the texts of cnnc.
if exists('b:current_syntax')
  finish
endif

syntax match cnncComment '//.*$' contains=@Spell
syntax match cnncValue '%\%("\%(\\.\|[^"\\]\)*"\|\w\+\%(\.\w\+\)*\)'
syntax match cnncSymbol '@\%("\%(\\.\|[^"\\]\)*"\|\w\+\%(\.\w\+\)*\)'
syntax match cnncString '"\%(\\.\|[^"\\]\)*"'
syntax match cnncNumber '-\?\<\d\+\%(\.\d\+\)\?\%([eE][+-]\?\d\+\)\?\>'
syntax match cnncKeyword '\<\%(model\|kernel\|return\|in\|at\|schedule\|for\|parallel\|unroll\|vector\|reg\|scratch\|table\|local\)\>'
syntax match cnncAttribute '\<\w\+\ze=[^=]'
syntax keyword cnncType f32 f64 i32 i64 u8 bool i8 bf16 f16 halo
syntax keyword cnncConstant true false inf nan
" Ops, by tests/update_checks.py.
syntax match cnncOp '\%(= \)\@<=\%(weight\|splat\|literal\|random\|conv2d\|conv_transpose2d\|local2d\|dense\|matmul\|max_pool2d\|avg_pool2d\|global_avg_pool2d\|max_pool2d_indices\|max_unpool2d\|relu\|leaky_relu\|sigmoid\|tanh\|clip\|hard_sigmoid\|hard_swish\|silu\|elu\|exp\|sqrt\|dropout\|abs\|neg\|floor\|ceil\|sin\|cos\|round\|sign\|log\|erf\|reciprocal\|softplus\|softsign\|selu\|celu\|gelu\|gelu_tanh\|mish\|thresholded_relu\|hard_shrink\|not\|add\|sub\|mul\|div\|min\|max\|prelu\|pow\|equal\|less\|less_or_equal\|greater\|greater_or_equal\|and\|or\|xor\|where\|cast\|quantize\|dequantize\|lookup\|batch_norm\|layer_norm\|instance_norm\|group_norm\|lrn\|softmax\|log_softmax\|hardmax\|reduce_mean\|reduce_sum\|reduce_max\|reduce_min\|reduce_prod\|arg_max\|arg_min\|top_k\|concat\|split\|slice\|pad\|reshape\|flatten\|transpose\|expand\|depth_to_space\|space_to_depth\|gather\|resize2d\|conv2d_filter_gradient\|max_pool2d_gradient\|scatter_add\|cross_entropy\|mean_squared_error\|binary_cross_entropy\|random_uniform\|resize2d_gradient\|relayout\|call\)\>=\@!'

highlight default link cnncComment Comment
highlight default link cnncValue Identifier
highlight default link cnncSymbol Label
highlight default link cnncString String
highlight default link cnncNumber Number
highlight default link cnncAttribute PreProc
highlight default link cnncKeyword Keyword
highlight default link cnncType Type
highlight default link cnncConstant Constant
highlight default link cnncOp Function

setlocal commentstring=//\ %s
let b:current_syntax = 'cnnc'
