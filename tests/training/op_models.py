"""Small models of every op that has a gradient, and what PyTorch calls them: read by torch_ops.py.

    case(op, inputs, body, theirs)

`inputs` as 'x: 2, 3, 8, 9; w: 4, 3, 3, 3', all of which get gradients: normal numbers, or what a word after the shape says:
`positive` in [0.5, 1.5), `ties` multiples of 1/2 from -1 to 1, so that many are equal or at a kink, `wide` up to some
hundreds. `body` is the right side of `%y = ..`, or statements between semicolons, of which the last one makes the outputs.
`theirs` is the same function of the inputs with PyTorch's own ops; it is not called where there is no PyTorch."""
import math
from collections import namedtuple

try:
    import torch
    import torch.nn.functional as F
except ImportError:
    pass

Case = namedtuple('Case', 'op inputs body theirs')
CASES = []
# Ops without operands, and those that only passes make: nothing asks for gradients of what they read.
WITHOUT = {
    'weight': 'has no operands', 'splat': 'has no operands', 'literal': 'has no operands', 'random': 'has no operands',
    'relayout': 'an error: layouts are chosen after `differentiate`',
    'call': 'an error: a kernel of loops is not differentiated',
}


def case(op, inputs, body, theirs):
    CASES.append(Case(op, inputs, body, theirs))


def pad4(x, top, left, bottom, right, **how):
    return F.pad(x, (left, right, top, bottom), **how)


def per_channel(v, rank=4):
    return v.reshape([-1] + [1] * (rank - 2))


def linear_map(function, shape, gradient):
    """What the transpose of a linear function of a tensor makes of a gradient, itself differentiable."""
    x = torch.zeros(shape, dtype=gradient.dtype, requires_grad=True)
    return torch.autograd.grad(function(x), x, gradient, create_graph=True)[0]


# ---- convolutions

case('conv2d', 'x: 2, 3, 9, 8; w: 5, 3, 3, 3; b: 5', 'conv2d %x, %w, %b', lambda x, w, b: F.conv2d(x, w, b))
case('conv2d', 'x: 2, 16, 14, 14; w: 32, 16, 3, 3; b: 32', 'conv2d %x, %w, %b pad=[1, 1, 1, 1]',
     lambda x, w, b: F.conv2d(x, w, b, padding=1))
case('conv2d', 'x: 2, 3, 10, 9; w: 4, 3, 3, 2', 'conv2d %x, %w stride=[2, 3] pad=[1, 0, 2, 1]',
     lambda x, w: F.conv2d(pad4(x, 1, 0, 2, 1), w, stride=(2, 3)))
case('conv2d', 'x: 1, 4, 11, 10; w: 6, 2, 3, 2; b: 6', 'conv2d %x, %w, %b dilation=[2, 3] groups=2 pad=[2, 1, 0, 3]',
     lambda x, w, b: F.conv2d(pad4(x, 2, 1, 0, 3), w, b, dilation=(2, 3), groups=2))
case('conv2d', 'x: 2, 18, 8, 8; w: 36, 1, 5, 5', 'conv2d %x, %w stride=[2, 2] pad=[2, 2, 2, 2] groups=18',
     lambda x, w: F.conv2d(x, w, stride=2, padding=2, groups=18))
case('conv2d', 'x: 2, 20, 7, 7; w: 24, 20, 1, 1; b: 24', 'conv2d %x, %w, %b stride=[3, 3]',  # wider than its filter
     lambda x, w, b: F.conv2d(x, w, b, stride=3))
# Windows of padding alone.
case('conv2d', 'x: 1, 2, 4, 5; w: 3, 2, 2, 2', 'conv2d %x, %w stride=[2, 1] pad=[3, 4, 2, 3]',
     lambda x, w: F.conv2d(pad4(x, 3, 4, 2, 3), w, stride=(2, 1)))
case('conv_transpose2d', 'x: 2, 4, 5, 6; w: 4, 3, 3, 3; b: 3', 'conv_transpose2d %x, %w, %b',
     lambda x, w, b: F.conv_transpose2d(x, w, b))
case('conv_transpose2d', 'x: 2, 4, 5, 4; w: 4, 3, 3, 3; b: 6',
     'conv_transpose2d %x, %w, %b stride=[2, 2] pad=[1, 1, 1, 1] output_padding=[1, 1] groups=2',
     lambda x, w, b: F.conv_transpose2d(x, w, b, 2, 1, 1, 2))
case('conv_transpose2d', 'x: 1, 2, 4, 5; w: 2, 3, 3, 2',
     'conv_transpose2d %x, %w stride=[3, 2] pad=[1, 0, 2, 1] dilation=[2, 1]',
     lambda x, w: F.conv_transpose2d(x, w, stride=(3, 2), dilation=(2, 1))[:, :, 1:-2, :-1])
case('conv_transpose2d', 'x: 1, 6, 5, 5; w: 6, 1, 4, 4; b: 6',
     'conv_transpose2d %x, %w, %b stride=[2, 2] pad=[1, 1, 1, 1] groups=6',
     lambda x, w, b: F.conv_transpose2d(x, w, b, 2, 1, groups=6))

# More than PyTorch takes, which is less than the stride.
case('conv_transpose2d', 'x: 1, 2, 4, 3; w: 2, 3, 2, 2; b: 3',
     'conv_transpose2d %x, %w, %b stride=[2, 2] output_padding=[3, 2]',
     lambda x, w, b: pad4(F.conv_transpose2d(x, w, None, 2), 0, 0, 3, 2) + per_channel(b))


def local(x, w, b, stride, dilation):
    oh, ow, oc, ic, kh, kw = w.shape
    windows = F.unfold(x, (kh, kw), dilation, 0, stride).reshape(x.shape[0], ic, kh, kw, oh, ow)
    y = torch.einsum('nikluv,uvoikl->nouv', windows, w)
    return y if b is None else y + b


case('local2d', 'x: 2, 3, 6, 5; w: 4, 4, 2, 3, 3, 2; b: 2, 4, 4', 'local2d %x, %w, %b',
     lambda x, w, b: local(x, w, b, 1, 1))
case('local2d', 'x: 2, 2, 7, 6; w: 4, 2, 3, 2, 2, 2', 'local2d %x, %w stride=[2, 3] pad=[1, 0, 1, 1] dilation=[2, 1]',
     lambda x, w: local(pad4(x, 1, 0, 1, 1), w, None, (2, 3), (2, 1)))
case('conv2d_filter_gradient', 'x: 2, 4, 8, 9; g: 2, 6, 4, 7',
     'conv2d_filter_gradient %x, %g kernel=[3, 2] stride=[2, 1] pad=[1, 0, 0, 0] dilation=[1, 2] groups=2',
     lambda x, g: linear_map(lambda w: F.conv2d(pad4(x, 1, 0, 0, 0), w, stride=(2, 1), dilation=(1, 2), groups=2),
                             (6, 2, 3, 2), g))
case('conv2d_filter_gradient', 'x: 2, 6, 7, 7; g: 2, 6, 3, 3',
     'conv2d_filter_gradient %x, %g kernel=[3, 3] stride=[2, 2] groups=6',
     lambda x, g: linear_map(lambda w: F.conv2d(x, w, stride=2, groups=6), (6, 1, 3, 3), g))
case('dense', 'x: 3, 5; w: 4, 5; b: 4', 'dense %x, %w, %b', lambda x, w, b: F.linear(x, w, b))
case('dense', 'x: 17, 40; w: 33, 40', 'dense %x, %w', lambda x, w: F.linear(x, w))
case('matmul', 'a: 3, 4; b: 4, 5', 'matmul %a, %b', lambda a, b: a @ b)
case('matmul', 'a: 2, 1, 3, 4; b: 5, 4, 6', 'matmul %a, %b', lambda a, b: a @ b)
case('matmul', 'a: 7, 4; b: 2, 3, 4, 6', 'matmul %a, %b', lambda a, b: a @ b)
case('matmul', 'q: 2, 4, 6, 8; k: 2, 4, 6, 8; v: 2, 4, 6, 8',  # attention
     f'%t = transpose %k permutation=[0, 1, 3, 2]; %p = matmul %q, %t; %c = splat {8 ** -.5} : f32[]; %m = mul %p, %c; '
     '%s = softmax %m; %y = matmul %s, %v', lambda q, k, v: F.softmax(q @ k.mT / 8 ** .5, -1) @ v)

# ---- pools

case('max_pool2d', 'x: 2, 3, 8, 8', 'max_pool2d %x kernel=[2, 2] stride=[2, 2]', lambda x: F.max_pool2d(x, 2))
case('max_pool2d', 'x: 2, 3, 9, 8', 'max_pool2d %x kernel=[3, 3] stride=[2, 2] pad=[1, 1, 1, 1]',
     lambda x: F.max_pool2d(x, 3, 2, 1))
case('max_pool2d', 'x: 2, 3, 9, 8 ties', 'max_pool2d %x kernel=[3, 3] stride=[1, 1]', lambda x: F.max_pool2d(x, 3, 1))
case('max_pool2d', 'x: 2, 3, 9, 8 ties', 'max_pool2d %x kernel=[3, 2] stride=[2, 1] dilation=[2, 2]',
     lambda x: F.max_pool2d(x, (3, 2), (2, 1), dilation=2))
case('max_pool2d', 'x: 1, 2, 8, 9', 'max_pool2d %x kernel=[3, 3] stride=[2, 3] ceil_mode=true',
     lambda x: F.max_pool2d(x, 3, (2, 3), ceil_mode=True))
case('max_pool2d', 'x: 1, 2, 7, 7 ties', 'max_pool2d %x kernel=[3, 3] stride=[2, 2] pad=[0, 1, 2, 0]',
     lambda x: F.max_pool2d(pad4(x, 0, 1, 2, 0, value=-math.inf), 3, 2))
case('max_pool2d_indices', 'x: 2, 3, 9, 8 ties',
     '%y, %at = max_pool2d_indices %x kernel=[3, 3] stride=[2, 2] pad=[1, 1, 1, 1]; %z = relu %y',
     lambda x: F.relu(F.max_pool2d(x, 3, 2, 1)))
case('max_pool2d_indices', 'x: 2, 3, 9, 8',
     '%y, %at = max_pool2d_indices %x kernel=[3, 2] column_major=true; %z = relu %y',
     lambda x: F.relu(F.max_pool2d(x, (3, 2), 1)))
case('max_pool2d_indices', 'x: 2, 3, 9, 8 ties',
     '%y, %at = max_pool2d_indices %x kernel=[3, 2] positions=window; %z = relu %y',
     lambda x: F.relu(F.max_pool2d(x, (3, 2), 1)))
case('max_pool2d_gradient', 'x: 1, 2, 7, 8 ties; g: 1, 2, 4, 7',
     '%p, %at = max_pool2d_indices %x kernel=[3, 2] stride=[2, 1] pad=[1, 0, 1, 0] positions=window; '
     '%y = max_pool2d_gradient %g, %at sizes=[7, 8] kernel=[3, 2] stride=[2, 1] pad=[1, 0, 1, 0]',
     lambda x, g: torch.autograd.grad(F.max_pool2d(pad4(x, 1, 0, 1, 0, value=-math.inf), (3, 2), (2, 1)), x, g,
                                      create_graph=True)[0])


def pooled_and_back(x):
    y, at = F.max_pool2d(x, 2, return_indices=True)
    return F.max_unpool2d(y, at, 2)


case('max_unpool2d', 'x: 2, 3, 6, 8', '%p, %at = max_pool2d_indices %x kernel=[2, 2] stride=[2, 2]; '
     '%y = max_unpool2d %p, %at shape=[2, 3, 6, 8]', pooled_and_back)
case('avg_pool2d', 'x: 2, 3, 8, 9', 'avg_pool2d %x kernel=[2, 3] stride=[2, 3]', lambda x: F.avg_pool2d(x, (2, 3)))
for count in (False, True):
    case('avg_pool2d', 'x: 2, 3, 8, 9',
         f'avg_pool2d %x kernel=[3, 3] stride=[2, 1] pad=[1, 1, 1, 1] count_padding={str(count).lower()}',
         lambda x, count=count: F.avg_pool2d(x, 3, (2, 1), 1, False, count))
    case('avg_pool2d', 'x: 1, 2, 8, 8', 'avg_pool2d %x kernel=[3, 3] stride=[2, 2] pad=[1, 1, 1, 1] ceil_mode=true '
         f'count_padding={str(count).lower()}', lambda x, count=count: F.avg_pool2d(x, 3, 2, 1, True, count))
case('avg_pool2d', 'x: 1, 2, 7, 6', 'avg_pool2d %x kernel=[3, 2] stride=[2, 1] pad=[2, 0, 1, 1]',
     lambda x: F.avg_pool2d(pad4(x, 2, 0, 1, 1), (3, 2), (2, 1)) /
     F.avg_pool2d(pad4(torch.ones_like(x), 2, 0, 1, 1), (3, 2), (2, 1)))
case('avg_pool2d', 'x: 1, 2, 7, 6', 'avg_pool2d %x kernel=[3, 2] stride=[2, 1] pad=[2, 0, 1, 1] count_padding=true',
     lambda x: F.avg_pool2d(pad4(x, 2, 0, 1, 1), (3, 2), (2, 1)))
case('global_avg_pool2d', 'x: 2, 20, 5, 7', 'global_avg_pool2d %x', lambda x: F.adaptive_avg_pool2d(x, 1))

# ---- element-wise, of one operand; at kinks, too

UNARY = [
    ('relu', lambda x: F.relu(x)),
    ('leaky_relu', lambda x: F.leaky_relu(x)),
    ('leaky_relu alpha=0.25', lambda x: F.leaky_relu(x, .25)),
    ('sigmoid', lambda x: torch.sigmoid(x)),
    ('tanh', lambda x: torch.tanh(x)),
    ('clip', lambda x: torch.clamp(x, -math.inf)),
    ('clip min=-0.5 max=0.5', lambda x: torch.clamp(x, -.5, .5)),
    ('clip min=0.5', lambda x: torch.clamp(x, min=.5)),
    (f'hard_sigmoid alpha={1 / 6}', lambda x: F.hardsigmoid(x)),
    ('hard_sigmoid alpha=1', lambda x: F.hardtanh(x + .5, 0, 1)),
    ('hard_swish', lambda x: F.hardswish(x)),
    ('silu', lambda x: F.silu(x)),
    ('elu', lambda x: F.elu(x)),
    ('elu alpha=0.5', lambda x: F.elu(x, .5)),
    ('exp', lambda x: torch.exp(x)),
    ('dropout ratio=0.25', lambda x: F.dropout(x, .25, False)),
    ('abs', lambda x: torch.abs(x)),
    ('neg', lambda x: torch.neg(x)),
    ('sin', lambda x: torch.sin(x)),
    ('cos', lambda x: torch.cos(x)),
    ('erf', lambda x: torch.erf(x)),
    ('softplus', lambda x: F.softplus(x)),
    ('softsign', lambda x: F.softsign(x)),
    ('selu', lambda x: F.selu(x)),
    ('celu', lambda x: F.celu(x)),
    ('celu alpha=0.5', lambda x: F.celu(x, .5)),
    ('gelu', lambda x: F.gelu(x)),
    ('gelu_tanh', lambda x: F.gelu(x, approximate='tanh')),
    ('mish', lambda x: F.mish(x)),
    ('thresholded_relu', lambda x: F.threshold(x, 1, 0)),
    ('thresholded_relu alpha=0.5', lambda x: F.threshold(x, .5, 0)),
    ('hard_shrink', lambda x: F.hardshrink(x)),
    ('hard_shrink lambda=0.25 bias=0.25', lambda x: F.softshrink(x, .25)),
]
for text, function in UNARY:
    name, _, attributes = text.partition(' ')
    for inputs in ('x: 6, 50', 'x: 6, 50 ties') + (('x: 6, 50 wide',) if name != 'exp' else ()):
        case(name, inputs, f'{name} %x {attributes}', function)
# At -3 and 3; of hard_swish PyTorch's vectors and its scalars differ there.
case('hard_sigmoid', 'x: 6, 50 ties', f'%six = splat 6 : f32[]; %z = mul %x, %six; %y = hard_sigmoid %z alpha={1 / 6}',
     lambda x: F.hardsigmoid(6 * x))
for name in ('sqrt', 'log', 'reciprocal'):
    case(name, 'x: 6, 50 positive', f'{name} %x', lambda x, name=name: getattr(torch, name)(x))
for name in ('floor', 'ceil', 'round', 'sign'):
    for inputs in ('x: 6, 50', 'x: 6, 50 ties'):
        case(name, inputs, f'%s = {name} %x; %y = mul %s, %x', lambda x, name=name: getattr(torch, name)(x) * x)

# ---- element-wise, of two operands

BINARY = [('add', lambda a, b: a + b), ('sub', lambda a, b: a - b), ('mul', lambda a, b: a * b),
          ('min', lambda a, b: torch.minimum(a, b)), ('max', lambda a, b: torch.maximum(a, b))]
for name, function in BINARY:
    for inputs in ('a: 4, 5; b: 4, 5', 'a: 3, 1, 6; b: 2, 1, 5, 1', 'a: 2, 18, 4, 4; b: 18, 1, 1',
                   'a: 6, 30 ties; b: 6, 30 ties'):
        case(name, inputs, f'{name} %a, %b', function)
    case(name, 'a: 5, 4', f'{name} %a, %a', lambda a, function=function: function(a, a))
for shapes in ('a: 4, 5; b: 4, 5 positive', 'a: 4, 1; b: 2, 4, 5 positive'):
    case('div', shapes, 'div %a, %b', lambda a, b: a / b)
for shapes in ('a: 4, 5 positive; b: 4, 5', 'a: 2, 1, 5 positive; b: 4, 1'):
    case('pow', shapes, 'pow %a, %b', lambda a, b: torch.pow(a, b))
for power in ('0', '1', '2', '3'):  # also of numbers below 0 and of 0
    case('pow', 'a: 6, 10 ties', f'%p = splat {power} : f32[]; %y = pow %a, %p',
         lambda a, power=power: torch.pow(a, int(power)))
case('pow', 'b: 6, 10 positive', '%a = splat 0 : f32[]; %y = pow %a, %b', lambda b: torch.pow(torch.zeros(()), b))
case('prelu', 'x: 2, 5, 4, 4; s: 5, 1, 1', 'prelu %x, %s', lambda x, s: F.prelu(x, s.reshape(-1)))
case('prelu', 'x: 2, 5, 4, 4 ties; s: 1', 'prelu %x, %s', lambda x, s: F.prelu(x, s))
COMPARISONS = {'equal': 'eq', 'less': 'lt', 'less_or_equal': 'le', 'greater': 'gt', 'greater_or_equal': 'ge'}
for name, theirs in COMPARISONS.items():
    case(name, 'a: 6, 20 ties; b: 6, 20 ties', f'%c = {name} %a, %b; %y = where %c, %a, %b',
         lambda a, b, theirs=theirs: torch.where(getattr(torch, theirs)(a, b), a, b))
for name in ('and', 'or', 'xor'):
    case(name, 'a: 6, 20; b: 6, 20', f'%c = less %a, %b; %zero = splat 0 : f32[]; %d = less %zero, %a; '
         f'%e = {name} %c, %d; %y = where %e, %a, %b',
         lambda a, b, name=name: torch.where(getattr(torch, 'logical_' + name)(a < b, 0 < a), a, b))
case('not', 'a: 6, 20; b: 6, 20', '%c = less %a, %b; %d = not %c; %y = where %d, %a, %b',
     lambda a, b: torch.where(~(a < b), a, b))
case('where', 'a: 3, 1, 6; b: 2, 1, 5, 1', '%c = literal [1, 0, 1, 1, 0] : bool[5, 1]; %y = where %c, %a, %b',
     lambda a, b: torch.where(torch.tensor([True, False, True, True, False]).reshape(5, 1), a, b))
case('cast', 'x: 6, 20', 'cast %x to=f32', lambda x: x.to(x.dtype))
for to in ('i32', 'i64', 'u8', 'bool'):
    case('cast', 'x: 6, 20 positive', f'%i = cast %x to={to}; %s = cast %i to=f32; %y = mul %s, %x',
         lambda x, to=to: (x != 0 if to == 'bool' else torch.trunc(x)) * x)

for name in ('quantize', 'dequantize'):
    case(name, 'x: 6, 20', '%q = quantize %x scale=0.25 zero_point=100 to=u8; '
         '%d = dequantize %q scale=0.25 zero_point=100; %y = mul %d, %x',
         lambda x: torch.clamp(torch.round(x / 0.25), -100, 155) * 0.25 * x)

case('lookup', 'x: 6, 20', '%q = quantize %x scale=0.25 zero_point=100 to=u8; %t = splat 3 : u8[256]; '
     '%r = lookup %q, %t; %d = dequantize %r; %y = mul %d, %x', lambda x: 3 * x)

# ---- normalisations

for shape, rank in (('3, 4, 5, 6', 4), ('8, 4', 2)):
    case('batch_norm', f'x: {shape}; s: 4; b: 4; m: 4; v: 4 positive', 'batch_norm %x, %s, %b, %m, %v epsilon=0.01',
         lambda x, s, b, m, v, rank=rank: (x - per_channel(m, rank)) / torch.sqrt(per_channel(v, rank) + .01) *
         per_channel(s, rank) + per_channel(b, rank))  # F.batch_norm has no gradients of the statistics
    statistics = '%m = splat 0.5 : f32[4]; %v = splat 2 : f32[4]; '
    case('batch_norm', f'x: {shape}; s: 4; b: 4', statistics + '%y = batch_norm %x, %s, %b, %m, %v',
         lambda x, s, b: F.batch_norm(x, torch.full((4,), .5), torch.full((4,), 2.), s, b))
    case('batch_norm', f'x: {shape}; s: 4; b: 4', statistics +
         '%n, %nm, %nv = batch_norm %x, %s, %b, %m, %v statistics=batch; %y = relu %n',
         lambda x, s, b: F.relu(F.batch_norm(x, None, None, s, b, True)))
case('layer_norm', 'x: 2, 3, 8', 'layer_norm %x', lambda x: F.layer_norm(x, (8,)))
case('layer_norm', 'x: 2, 3, 8; s: 8; b: 8', 'layer_norm %x, %s, %b epsilon=0.01',
     lambda x, s, b: F.layer_norm(x, (8,), s, b, .01))
case('layer_norm', 'x: 2, 3, 4, 5; s: 3, 4, 5; b: 3, 4, 5', 'layer_norm %x, %s, %b axis=1',
     lambda x, s, b: F.layer_norm(x, (3, 4, 5), s, b))
case('layer_norm', 'x: 2, 3, 4, 5; s: 4, 1', 'layer_norm %x, %s axis=2', lambda x, s: F.layer_norm(x, (4, 5)) * s)
case('instance_norm', 'x: 2, 3, 4, 5; s: 3; b: 3', 'instance_norm %x, %s, %b',
     lambda x, s, b: F.instance_norm(x, weight=s, bias=b))
case('instance_norm', 'x: 2, 3, 20; s: 3; b: 3', 'instance_norm %x, %s, %b epsilon=0.01',
     lambda x, s, b: F.instance_norm(x, weight=s, bias=b, eps=.01))
case('group_norm', 'x: 2, 6, 4, 5', 'group_norm %x groups=3', lambda x: F.group_norm(x, 3))
case('group_norm', 'x: 2, 6, 4, 5; s: 6; b: 6', 'group_norm %x, %s, %b groups=2 epsilon=0.01',
     lambda x, s, b: F.group_norm(x, 2, s, b, .01))
case('group_norm', 'x: 2, 6, 7; s: 6; b: 6', 'group_norm %x, %s, %b groups=1', lambda x, s, b: F.group_norm(x, 1, s, b))
case('lrn', 'x: 2, 7, 4, 4', 'lrn %x size=5 alpha=0.5 beta=0.75 bias=2',
     lambda x: F.local_response_norm(x, 5, .5, .75, 2))
# One channel before, two after; PyTorch has them the other way round.
case('lrn', 'x: 2, 7, 3, 3', 'lrn %x size=4 alpha=1 beta=0.5',
     lambda x: F.local_response_norm(x.flip(1), 4, 1., .5, 1.).flip(1))
for name, function in (('softmax', lambda x, axis: F.softmax(x, axis)),
                       ('log_softmax', lambda x, axis: F.log_softmax(x, axis))):
    for axis in (-1, 0, 1):
        case(name, 'x: 3, 5, 4', f'{name} %x axis={axis}', lambda x, axis=axis, function=function: function(x, axis))
case('log_softmax', 'x: 3, 50 wide', 'log_softmax %x', lambda x: F.log_softmax(x, -1))
case('hardmax', 'x: 5, 8', '%s = hardmax %x; %y = mul %s, %x', lambda x: F.one_hot(x.argmax(-1), 8) * x)

# ---- reductions

REDUCTIONS = [('mean', lambda x, axes, keep: torch.mean(x, axes, keep)),
              ('sum', lambda x, axes, keep: torch.sum(x, axes, keep)),
              ('max', lambda x, axes, keep: torch.amax(x, axes, keep)),
              ('min', lambda x, axes, keep: torch.amin(x, axes, keep))]


def product(x, axes, keep):
    """torch.prod takes one axis."""
    for axis in sorted((axis % x.dim() for axis in axes), reverse=True):
        x = torch.prod(x, axis, keep)
    return x


for name, function in REDUCTIONS + [('prod', product)]:
    # The product of 120 normal numbers is too small for f32.
    shape = 'x: 2, 3, 4, 5' if name != 'prod' else 'x: 2, 3, 2, 2'
    for inputs in (shape, shape + ' ties'):  # equal extremes; products with one zero and with several
        for axes in ([1], [-1], [0, 2], [0, 1, 2, 3]):
            for keep in (False, True):
                case('reduce_' + name, inputs, f'reduce_{name} %x axes={axes} keep_dims={str(keep).lower()}',
                     lambda x, function=function, axes=axes, keep=keep: function(x, axes, keep))
for name in ('arg_max', 'arg_min'):
    case(name, 'x: 5, 8', f'%i = {name} %x axis=1; %s = cast %i to=f32; %y = mul %s, %x',
         lambda x, name=name: getattr(torch, name.replace('_', ''))(x, 1, True) * x)
for largest in (True, False):
    for axis in (-1, 0):
        case('top_k', 'x: 6, 4, 7', f'%v, %at = top_k %x k=3 axis={axis} largest={str(largest).lower()}; %y = tanh %v',
             lambda x, axis=axis, largest=largest: torch.tanh(torch.topk(x, 3, axis, largest)[0]))

# ---- what moves elements

case('concat', 'a: 2, 3, 4; b: 2, 5, 4', 'concat %a, %b, %a axis=1', lambda a, b: torch.cat((a, b, a), 1))
case('concat', 'a: 2, 3; b: 2, 3', 'concat %a, %b axis=-2', lambda a, b: torch.cat((a, b), -2))
case('split', 'x: 2, 9, 4', '%a, %b, %c = split %x axis=1 sizes=[2, 3, 4]', lambda x: torch.split(x, [2, 3, 4], 1))
case('split', 'x: 6, 4', '%a, %unused, %c = split %x axis=0 sizes=[1, 2, 3]; %y = concat %c, %a axis=0',
     lambda x: torch.cat((x[3:], x[:1])))
case('slice', 'x: 4, 9, 8', 'slice %x starts=[1, -100] ends=[100, 5]', lambda x: x[1:, :5])
case('slice', 'x: 4, 9, 8', 'slice %x starts=[1, -7] ends=[8, -1] axes=[1, 2] steps=[2, 3]',
     lambda x: x[:, 1:8:2, -7:-1:3])
case('slice', 'x: 4, 9, 8', 'slice %x starts=[-1, 7] ends=[-10, 0] axes=[1, 2] steps=[-1, -3]',
     lambda x: x.flip(1, 2)[:, :, 0:7:3])
case('pad', 'x: 3, 4, 5', 'pad %x before=[1, 0, 2] after=[0, 3, 1] value=0.5',
     lambda x: F.pad(x, (2, 1, 0, 3, 1, 0), value=.5))
for mode, theirs in (('reflect', 'reflect'), ('edge', 'replicate'), ('wrap', 'circular')):
    case('pad', 'x: 2, 3, 5, 4', f'pad %x before=[0, 0, 2, 1] after=[0, 0, 3, 2] mode={mode}',
         lambda x, theirs=theirs: F.pad(x, (1, 2, 2, 3), mode=theirs))
case('pad', 'x: 2, 3', 'pad %x before=[0, 7] after=[0, 4] mode=wrap',  # more than once around
     lambda x: x[:, (torch.arange(14) - 7) % 3])
case('reshape', 'x: 2, 3, 4', 'reshape %x shape=[0, -1]', lambda x: x.reshape(2, 12))
case('flatten', 'x: 2, 3, 4', 'flatten %x axis=2', lambda x: torch.flatten(x, 0, 1))
case('transpose', 'x: 2, 3, 4, 5', 'transpose %x permutation=[3, 0, 2, 1]', lambda x: x.permute(3, 0, 2, 1))
case('expand', 'x: 3, 1, 5', 'expand %x shape=[2, 1, 4, 1]', lambda x: x.expand(2, 3, 4, 5))
case('depth_to_space', 'x: 2, 12, 3, 4', 'depth_to_space %x block=[2, 2] mode=crd', lambda x: F.pixel_shuffle(x, 2))
case('depth_to_space', 'x: 2, 12, 3, 4', 'depth_to_space %x block=[3, 2] crop=[1, 1, 2, 0]',
     lambda x: x.reshape(2, 3, 2, 2, 3, 4).permute(0, 3, 4, 1, 5, 2).reshape(2, 2, 9, 8)[:, :, 1:-2, 1:])
case('space_to_depth', 'x: 2, 3, 6, 8', 'space_to_depth %x block=[3, 2]',
     lambda x: x.reshape(2, 3, 2, 3, 4, 2).permute(0, 3, 5, 1, 2, 4).reshape(2, 18, 2, 4))
case('gather', 'x: 5, 4', '%i = literal [4, 0, -5, 0, 2, -1] : i64[2, 3]; %y = gather %x, %i',
     lambda x: x[torch.tensor([[4, 0, 0], [0, 2, 4]])])
case('gather', 'x: 3, 5, 4', '%i = literal [1, 1, 3] : i32[3]; %y = gather %x, %i axis=1',
     lambda x: x[:, torch.tensor([1, 1, 3])])
case('gather', 'x: 3, 5, 4', '%i = literal [2] : i64[]; %y = gather %x, %i axis=-1', lambda x: x[:, :, 2])
case('scatter_add', 'u: 2, 3, 4', '%i = literal [4, 0, 0, 0, 2, -1] : i64[2, 3]; %y = scatter_add %u, %i axis=0 size=6',
     lambda u: torch.zeros((6, 4)).index_add(0, torch.tensor([4, 0, 0, 0, 2, 5]), u.reshape(6, 4)))
case('scatter_add', 'u: 2, 3, 4', '%i = literal [1, 1, 3] : i64[3]; %y = scatter_add %u, %i axis=1 size=5',
     lambda u: torch.zeros((2, 5, 4)).index_add(1, torch.tensor([1, 1, 3]), u))

RESIZES = [  # attributes, how F.interpolate says it
    ('coordinates=asymmetric nearest=floor', dict(mode='nearest')),
    ('nearest=round_prefer_ceil', dict(mode='nearest-exact')),
    ('mode=linear', dict(mode='bilinear')), ('mode=linear coordinates=pytorch_half_pixel', dict(mode='bilinear')),
    ('mode=linear coordinates=align_corners', dict(mode='bilinear', align_corners=True)),
    ('mode=cubic', dict(mode='bicubic')),
    ('mode=cubic coordinates=align_corners', dict(mode='bicubic', align_corners=True)),
    ('mode=linear antialias=true exclude_outside=true', dict(mode='bilinear', antialias=True)),
    ('mode=cubic antialias=true cubic_coeff_a=-0.5 exclude_outside=true', dict(mode='bicubic', antialias=True)),
]
for sizes in ((9, 7), (14, 10), (3, 4)):
    for attributes, options in RESIZES:
        case('resize2d', 'x: 1, 2, 7, 5', f'resize2d %x sizes={list(sizes)} {attributes}',
             lambda x, sizes=sizes, options=options: F.interpolate(x, sizes, **options))
        case('resize2d_gradient', f'g: 1, 2, {sizes[0]}, {sizes[1]}', f'resize2d_gradient %g input=[7, 5] {attributes}',
             lambda g, sizes=sizes, options=options: linear_map(lambda x: F.interpolate(x, sizes, **options),
                                                                (1, 2, 7, 5), g))

for mode, theirs in (('linear', 'bilinear'), ('cubic', 'bicubic')):
    case('resize2d', 'x: 1, 2, 7, 5', f'resize2d %x sizes=[9, 8] scales=[1.3, 1.7] mode={mode}',
         lambda x, theirs=theirs: F.interpolate(x, scale_factor=(1.3, 1.7), mode=theirs))


def picked(x, sizes, place, rounded):
    """The nearest elements to place(position, scale) in each dimension."""
    rows, columns = ([min(max(int(rounded(place(p, size / length))), 0), length - 1) for p in range(size)]
                     for size, length in zip(sizes, x.shape[2:]))
    return x[:, :, rows][:, :, :, columns]


def cropped(x):
    """Bilinear between -0.2 and 0.9 of the rows and 0.1 and 0.8 of the columns; 0 outside."""
    rows, columns = torch.linspace(-1.4, .8, 6), torch.linspace(-.8, .6, 4)
    grid = torch.stack((columns.expand(6, 4), rows.reshape(6, 1).expand(6, 4)), -1).expand(x.shape[0], 6, 4, 2)
    return F.grid_sample(x, grid, align_corners=True) * (rows >= -1).reshape(6, 1)


NEAREST = [
    ('nearest=round_prefer_floor', lambda p, scale: (p + .5) / scale - .5, lambda at: math.ceil(at - .5)),
    ('coordinates=asymmetric nearest=ceil', lambda p, scale: p / scale, math.ceil),
    ('coordinates=tf_half_pixel_for_nn nearest=floor', lambda p, scale: (p + .5) / scale, math.floor),
]
for sizes in ((14, 10), (3, 4)):
    for attributes, place, rounded in NEAREST:
        case('resize2d', 'x: 1, 2, 7, 5', f'resize2d %x sizes={list(sizes)} {attributes}',
             lambda x, sizes=sizes, place=place, rounded=rounded: picked(x, sizes, place, rounded))
case('resize2d', 'x: 1, 2, 7, 5', 'resize2d %x sizes=[6, 4] mode=linear coordinates=tf_crop_and_resize '
     'roi=[0, 0, -0.2, 0.1, 1, 1, 0.9, 0.8]', cropped)

# ---- losses, random numbers

case('cross_entropy', 'x: 4, 6 wide', '%i = literal [5, 0, 3, 3] : i64[4]; %y = cross_entropy %x, %i',
     lambda x: F.cross_entropy(x, torch.tensor([5, 0, 3, 3])))
for smoothing in (0, .2):
    case('cross_entropy', 'x: 4, 6',
         f'%i = literal [5, 0, 3, 3] : i64[4]; %y = cross_entropy %x, %i label_smoothing={smoothing}',
         lambda x, smoothing=smoothing: F.cross_entropy(x, torch.tensor([5, 0, 3, 3]), label_smoothing=smoothing))
case('mean_squared_error', 'a: 4, 6; b: 4, 6', 'mean_squared_error %a, %b', lambda a, b: F.mse_loss(a, b))
for inputs in ('x: 4, 6; t: 4, 6 positive', 'x: 4, 6 wide; t: 4, 6 positive'):
    case('binary_cross_entropy', inputs, 'binary_cross_entropy %x, %t',
         lambda x, t: F.binary_cross_entropy_with_logits(x, t))
case('random_uniform', 'c: 1; x: 3, 4', '%r = random_uniform %c seed=1 shape=[3, 4]; %zero = splat 0 : f32[]; '
     '%z = mul %r, %zero; %y = add %z, %x', lambda c, x: c.detach() * 0 + x)
