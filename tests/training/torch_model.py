"""Models of the graph text in PyTorch, so that its automatic differentiation can judge ours.

Reads what `cnnc MODEL.ir --passes=infer_shapes` prints: one op a line, with the types of all results."""
import re
import torch
import torch.nn.functional as F

LINE = re.compile(r'^\s*(?P<results>%.*?) = (?P<op>\w+)(?:\((?P<paren>[^)]*)\))?(?P<rest>.*?) : (?P<types>.*)$')
VALUE = re.compile(r'%("(?:[^"\\]|\\.)*"|[\w.]+)')
ATTRIBUTE = re.compile(r'(\w+)=(\[[^\]]*\]|[^\s\[]+)')
TYPE = re.compile(r'(f32|f64|i32|i64|u8|bool)\[([^\]]*)\]')


def value_names(text):
    return [name.strip('"') for name in VALUE.findall(text)]


def number(text):
    if text in ('true', 'false'):
        return text == 'true'
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return text


def attribute_value(text):
    if text.startswith('['):
        return [number(item) for item in text[1:-1].split(', ') if item]
    return number(text)


def shape_of(text):
    return [int(dim) for dim in text.split(',') if dim.strip()]


class Model:
    """inputs: [(name, dtype, shape)]; nodes: [(results, op, operands, attributes, types)]; constants that
    are random are inputs of kind 'he' or 'uniform'."""

    def __init__(self, text):
        head = text[text.index('model'):text.index('{')]
        names = value_names(head)
        self.inputs = [(name, dtype, shape_of(dims), 'data')
                       for name, (dtype, dims) in zip(names, TYPE.findall(head))]
        self.nodes = []
        for line in text.splitlines():
            if line.strip().startswith('return'):
                self.outputs = value_names(line)
                continue
            match = LINE.match(line)
            if not match or line.startswith('model'):
                continue
            types = [(dtype, shape_of(dims)) for dtype, dims in TYPE.findall(match['types'])]
            results = value_names(match['results'])
            if match['op'] in ('random', 'weight'):
                kind = match['paren'].split(', ')[1] if match['op'] == 'random' else 'he'
                self.inputs.append((results[0], types[0][0], types[0][1], kind))
                continue
            rest = match['rest']
            first = ATTRIBUTE.search(rest)
            operands = value_names(rest[:first.start()] if first else rest)
            attributes = {k: attribute_value(v) for k, v in ATTRIBUTE.findall(rest)}
            if match['op'] in ('splat', 'literal'):
                attributes['value'] = attribute_value(rest.strip())
            self.nodes.append((results, match['op'], operands, attributes, types))

    def text_with_inputs(self, text):
        """The same text with random constants and weights as inputs of the model."""
        kept, added = [], []
        for line in text.splitlines():
            match = LINE.match(line)
            if match and match['op'] in ('random', 'weight'):
                added.append(f"{match['results']}: {match['types']}")
            else:
                kept.append(line)
        head = kept[0]
        end = head.rindex(')')
        return '\n'.join([head[:end] + ''.join(', ' + item for item in added) + head[end:]] + kept[1:]) + '\n'

    def run(self, values, training=False):
        """The outputs; batch norms use the statistics of the batch in training."""
        values = dict(values)
        for results, op, operands, attributes, types in self.nodes:
            x = [values[name] for name in operands]
            if op == 'batch_norm' and training:
                outputs = [F.batch_norm(x[0], x[3].detach(), x[4].detach(), x[1], x[2], training=True,
                                        eps=attributes.get('epsilon', 1e-5))]
            else:
                outputs = apply(op, x, attributes, types)
            for name, output, (dtype, shape) in zip(results, outputs, types):
                assert list(output.shape) == shape, (op, name, list(output.shape), shape)
                values[name] = output
        return [values[name] for name in self.outputs]


def padded(x, pad, value=0.0):
    top, left, bottom, right = pad
    return F.pad(x, (left, right, top, bottom), value=value) if any(pad) else x


DTYPES = {'f32': torch.float32, 'i64': torch.int64, 'i32': torch.int32, 'bool': torch.bool, 'u8': torch.uint8}

def dtype_of(name):
    """f32 stands for the precision in which PyTorch is to compute."""
    return torch.get_default_dtype() if name == 'f32' else DTYPES[name]


UNARY = {
    'relu': F.relu, 'sigmoid': torch.sigmoid, 'tanh': torch.tanh, 'silu': F.silu, 'exp': torch.exp,
    'sqrt': torch.sqrt, 'abs': torch.abs, 'neg': torch.neg, 'floor': torch.floor, 'ceil': torch.ceil,
    'sin': torch.sin, 'cos': torch.cos, 'round': torch.round, 'sign': torch.sign, 'log': torch.log,
    'erf': torch.erf, 'reciprocal': torch.reciprocal, 'softplus': F.softplus, 'softsign': F.softsign,
    'gelu': F.gelu, 'mish': F.mish, 'hard_swish': F.hardswish,
    'gelu_tanh': lambda x: F.gelu(x, approximate='tanh'),
    'dropout': lambda x, ratio=0.5: x,
    'leaky_relu': lambda x, alpha=0.01: F.leaky_relu(x, alpha),
    'elu': lambda x, alpha=1: F.elu(x, alpha), 'celu': lambda x, alpha=1: F.celu(x, alpha),
    'selu': lambda x, alpha=1.6732631921768188, gamma=1.0507010221481323: gamma * F.elu(x, alpha),
    'clip': lambda x, min=float('-inf'), max=float('inf'): torch.clamp(x, min, max),
    'hard_sigmoid': lambda x, alpha=0.2, beta=0.5: torch.clamp(alpha * x + beta, 0, 1),
    'thresholded_relu': lambda x, alpha=1: torch.where(x > alpha, x, torch.zeros(())),
    'hard_shrink': lambda x, **p: torch.where(x < -p.get('lambda', .5), x + p.get('bias', 0),
                                              torch.where(x > p.get('lambda', .5), x - p.get('bias', 0), torch.zeros(()))),
}
BINARY = {
    'add': torch.add, 'sub': torch.sub, 'mul': torch.mul, 'div': torch.div, 'min': torch.minimum,
    'max': torch.maximum, 'pow': torch.pow, 'equal': torch.eq, 'less': torch.lt,
    'less_or_equal': torch.le, 'greater': torch.gt, 'greater_or_equal': torch.ge,
    'and': torch.logical_and, 'or': torch.logical_or, 'xor': torch.logical_xor,
    'prelu': lambda a, b: torch.where(a < 0, a * b, a),
}
REDUCE = {'reduce_mean': torch.mean, 'reduce_sum': torch.sum, 'reduce_max': torch.amax, 'reduce_min': torch.amin}


def apply(op, x, a, types):
    """The results of one op."""
    if op in UNARY:
        return [UNARY[op](x[0], **a)]
    if op in BINARY:
        return [BINARY[op](*x)]
    if op in REDUCE:
        return [REDUCE[op](x[0], dim=a['axes'], keepdim=a.get('keep_dims', True))]
    if op == 'splat':
        return [torch.full(types[0][1], a['value'], dtype=dtype_of(types[0][0]))]
    if op == 'literal':
        return [torch.tensor(a['value'], dtype=dtype_of(types[0][0])).reshape(types[0][1])]
    if op == 'conv2d':
        return [F.conv2d(padded(x[0], a.get('pad', [0] * 4)), *x[1:], stride=a.get('stride', 1),
                         dilation=a.get('dilation', 1), groups=a.get('groups', 1))]
    if op == 'conv_transpose2d':
        pad = a.get('pad', [0] * 4)
        y = F.conv_transpose2d(x[0], *x[1:], stride=a.get('stride', 1), dilation=a.get('dilation', 1),
                               groups=a.get('groups', 1))
        h, w = types[0][1][2:]
        y = F.pad(y, (0, max(0, pad[1] + w - y.shape[3]), 0, max(0, pad[0] + h - y.shape[2])))
        if len(x) > 2:  # what the padding adds is the bias, too
            y = F.conv_transpose2d(x[0], x[1], stride=a.get('stride', 1), dilation=a.get('dilation', 1),
                                   groups=a.get('groups', 1))
            y = F.pad(y, (0, max(0, pad[1] + w - y.shape[3]), 0, max(0, pad[0] + h - y.shape[2])))
            y = y + x[2].reshape(1, -1, 1, 1)
        return [y[:, :, pad[0]:pad[0] + h, pad[1]:pad[1] + w]]
    if op == 'dense':
        return [F.linear(*x)]
    if op == 'matmul':
        return [torch.matmul(*x)]
    if op == 'max_pool2d':
        y = F.max_pool2d(padded(x[0], a.get('pad', [0] * 4), float('-inf')), a['kernel'], a.get('stride', [1, 1]),
                         dilation=a.get('dilation', 1), ceil_mode=a.get('ceil_mode', False))
        return [y[:, :, :types[0][1][2], :types[0][1][3]]]
    if op == 'avg_pool2d':
        pad = a.get('pad', [0] * 4)
        assert pad[:2] == pad[2:]
        return [F.avg_pool2d(x[0], a['kernel'], a.get('stride', [1, 1]), pad[:2], a.get('ceil_mode', False),
                             a.get('count_padding', False))]
    if op == 'global_avg_pool2d':
        return [x[0].mean((2, 3), keepdim=True)]
    if op == 'batch_norm':
        # F.batch_norm has no gradients of the statistics.
        scale, bias, mean, variance = (v.reshape([-1] + [1] * (x[0].dim() - 2)) for v in x[1:])
        return [(x[0] - mean) / torch.sqrt(variance + a.get('epsilon', 1e-5)) * scale + bias]
    if op == 'layer_norm':
        shape = x[0].shape[a.get('axis', -1):]
        return [F.layer_norm(x[0], shape, *x[1:], eps=a.get('epsilon', 1e-5))]
    if op == 'instance_norm':
        return [F.instance_norm(x[0], weight=x[1], bias=x[2], eps=a.get('epsilon', 1e-5))]
    if op == 'group_norm':
        return [F.group_norm(x[0], a['groups'], *x[1:], eps=a.get('epsilon', 1e-5))]
    if op == 'lrn':
        return [F.local_response_norm(x[0], a['size'], a.get('alpha', 1e-4), a.get('beta', .75), a.get('bias', 1))]
    if op == 'softmax':
        return [F.softmax(x[0], a.get('axis', -1))]
    if op == 'log_softmax':
        return [F.log_softmax(x[0], a.get('axis', -1))]
    if op == 'where':
        return [torch.where(*x)]
    if op == 'cast':
        return [x[0].to(dtype_of(a['to']))]
    if op == 'concat':
        return [torch.cat(x, a['axis'])]
    if op == 'split':
        return torch.split(x[0], a['sizes'], a['axis'])
    if op in ('reshape', 'flatten'):
        return [x[0].reshape(types[0][1])]
    if op == 'transpose':
        return [x[0].permute(a['permutation'])]
    if op == 'expand':
        return [x[0].expand(types[0][1])]
    if op == 'gather':
        return [x[0].select(a.get('axis', 0), int(x[1])) if x[1].dim() == 0 else
                torch.index_select(x[0], a.get('axis', 0), x[1].reshape(-1)).reshape(types[0][1])]
    if op == 'slice':
        index = [slice(None)] * x[0].dim()
        axes = a.get('axes') or list(range(len(a['starts'])))
        for i, axis in enumerate(axes):
            index[axis] = slice(a['starts'][i], a['ends'][i], (a.get('steps') or [1] * len(axes))[i])
        return [x[0][tuple(index)]]
    if op == 'pad' and a.get('mode', 'constant') == 'constant':
        return [F.pad(x[0], [n for pair in reversed(list(zip(a['before'], a['after']))) for n in pair],
                      value=a.get('value', 0.0))]
    if op == 'resize2d' and a.get('mode') == 'linear' and not a.get('antialias'):
        aligned = a.get('coordinates') == 'align_corners'
        return [F.interpolate(x[0], a['sizes'], mode='bilinear', align_corners=aligned)]
    if op == 'resize2d' and a.get('coordinates') == 'asymmetric' and a.get('nearest') == 'floor':
        return [F.interpolate(x[0], a['sizes'], mode='nearest')]
    if op == 'depth_to_space' and a.get('mode') == 'crd' and a['block'][0] == a['block'][1]:
        return [F.pixel_shuffle(x[0], a['block'][0])]
    if op == 'cross_entropy':
        return [F.cross_entropy(*x, label_smoothing=a.get('label_smoothing', 0.0))]
    if op == 'mean_squared_error':
        return [F.mse_loss(*x)]
    if op == 'binary_cross_entropy':
        return [F.binary_cross_entropy_with_logits(*x)]
    raise NotImplementedError(f'{op} {a}')
