"""Tasks as small as they can be, each with what one pass or another has to notice."""

HEAD = """
import torch
import torch.nn as nn
"""

CONVOLUTIONS = HEAD + '''
class Block(nn.Module):
    """A residual branch: its pair is found by following forward, not in a Sequential."""

    def __init__(self, channels):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm.running_mean.normal_()
        self.norm.running_var.uniform_(0.5, 2)

    def forward(self, x):
        return torch.relu(x + self.norm(self.convolution(x)))

class Model(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, channels, 3), nn.BatchNorm2d(channels), nn.ReLU())
        self.block = Block(channels)
        self.up = nn.Sequential(nn.ConvTranspose2d(channels, 4, 2, 2), nn.BatchNorm2d(4))
        self.head = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5))
        self.head[1].running_var.uniform_(0.5, 2)

    def forward(self, x):
        images = self.up(self.block(self.stem(x)))
        return images, self.head(images.mean((2, 3)))

channels = 8  # used by get_init_inputs alone, and still kept

# Inputs as they come from a camera.
def get_inputs():
    return [torch.rand(2, 3, 10, 12)]

def get_init_inputs():
    return [channels]
'''

PERCEPTRON = HEAD + """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 8))

    def forward(self, x):
        return {"scores": self.layers(x)}

def get_inputs():
    return [torch.randn(4, 16)]

def get_init_inputs():
    return []
"""

SOFTMAX = HEAD + """
class Model(nn.Module):
    def forward(self, x):
        return torch.softmax(x, -1)

def get_inputs():
    return [torch.randn(4, 16)]

def get_init_inputs():
    return []
"""

BRANCH = HEAD + """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x):
        x = self.layer(x)
        return x * 2 if x.sum() > 0 else x - 1

def get_inputs():
    return [torch.randn(4, 8)]

def get_init_inputs():
    return []
"""

HIDDEN_BRANCH = BRANCH.replace("x.sum() > 0", "float(x.data.sum()) > x[0, 0].detach().tolist()")

# Conditions on which BRANCH could go either way, each with the name that gives it away.
GUARDS = {
    "x[x > 8].numel() > 0": "index by a mask",
    "x[:, (x[0] > 8).byte()].numel() > 0": "index by a mask",
    "torch.unique(x[:, 0]).numel() != 4": "_unique2",
    "torch.unique(x, dim=0).shape[0] < 4": "unique_dim",
    "torch.unique_consecutive(x[:, 0]).numel() != 4": "unique_consecutive",
    "torch.equal(x[0], x[1])": "equal",
    "torch.allclose(x[0], x[1])": "allclose",
    "len(torch.bincount(x[0].abs().long())) > 9": "bincount",
    "len(torch.argwhere(x > 8)) > 0": "nonzero",
    "len(x[0].repeat_interleave((x[0] > 0).long())) > 9": "repeat_interleave",
    "x.to_sparse()._nnz() < 32": "_to_sparse",
    "numpy.max(numpy.asarray(x)) > 8": "__array__",
    "numpy.from_dlpack(x).max() > 8": "__dlpack__",
    "ctypes.c_float.from_address(x.data_ptr()).value > 8": "data_ptr",
    "ctypes.c_float.from_address(x.untyped_storage().data_ptr()).value > 8": "untyped_storage",
    "ctypes.c_float.from_address(x.storage().data_ptr()).value > 8": "storage",
    "len(torch.tensor_split(x, x[:1, 0].abs().long())[0]) > 2": "tensor_split",
    "len(x.tensor_split(tensor_indices_or_sections=x[:1, 0].abs().long())[0]) > 2": "tensor_split",
    "nn.utils.rnn.pack_padded_sequence(x[:, None], x[:1, 0].long().clamp(1, 3)).data.sum() > 8":
        "_pack_padded_sequence",
    "torch._nested_tensor_from_mask_left_aligned(x[None], x[None, :, 0] < 8)":
        "_nested_tensor_from_mask_left_aligned",
    # Not a condition, and yet a constant in a trace.
    "0 * (x := x * torch.tensor([x.amax() > 8])).dim()": "tensor",
    "0 * (x := x * torch.as_tensor(data=[[x.amax() > 8]])).dim()": "as_tensor",
    "0 * (x := x * x.new_tensor((x.amax() > 8,))).dim()": "new_tensor",
    "0 * (x := x * torch.FloatTensor([x.amax() > 8])).dim()": "__float__",
    "'inf' in str(x)": "__repr__",
    "'inf' in f'{x}'": "__format__",
    "torch.inference_mode()(lambda: bool((x > 8).any()))()": "_local_scalar_dense",
    "len(torch.inference_mode()(lambda: torch.where(x > 8)[0])()) > 0": "nonzero",
}


def guarded(condition):
    return "import ctypes, numpy\n" + BRANCH.replace("x.sum() > 0", condition)


# What BRANCH may do with data and remain the same operators for whatever comes.
UNGUARDED = [
    "x[torch.tensor([1, 0, 3, 2])]",
    "x[[1, 0], 2:5]",
    "x.masked_fill(x > 8, 0)",
    "torch.where(x > 8, 0, x)",
    "torch.quantile(x, 0.5, dim=0)",
    "x.tensor_split(2)[0]",
    "x.repeat_interleave(2, 0)",
    "x.sort(dim=0).values",
    "x.scatter(0, x.argsort(0), x)",
    "torch.tensor([len(x), 2.5]).sum() * x.new_tensor(x)",
    "torch.inference_mode()(lambda: nn.functional.linear(x, x).argmax(0))()",
]


def unguarded(value):
    return BRANCH.replace("x * 2 if x.sum() > 0 else x - 1", value)


# A whole encoder takes another way in C++ where the padding comes last in each row.
PADDED = HEAD + """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1)

    def forward(self, x, padding):
        return self.encoder(x, src_key_padding_mask=padding)

def get_inputs():
    return [torch.randn(2, 3, 4), torch.zeros(2, 3, dtype=torch.bool)]

def get_init_inputs():
    return []
"""

MEMORY = HEAD + """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)
        self.state = torch.zeros(4, 8)

    def forward(self, x):
        self.state = torch.tanh(self.layer(x) + self.state)
        return self.state

def get_inputs():
    return [torch.randn(4, 8)]

def get_init_inputs():
    return []
"""

SCALED = HEAD + """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x, times):
        return self.layer(x) * times

def get_inputs():
    return [torch.randn(4, 8), 3]

def get_init_inputs():
    return []
"""

FLOAT_MASK = HEAD + """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x):
        return torch.full((4, 4), 0.5).triu() @ self.layer(x)

def get_inputs():
    return [torch.randn(4, 8)]

def get_init_inputs():
    return []
"""

# Pairs that must not be folded: the convolution's output is used twice, the norm has no statistics
# of its own, the weight is made anew at each call, the norm is called twice.
UNFOLDABLE = HEAD + """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv1d(4, 4, 1)
        self.norm_a = nn.BatchNorm1d(4)
        self.b = nn.Sequential(nn.Conv1d(4, 4, 1), nn.BatchNorm1d(4, track_running_stats=False))
        self.c = nn.utils.parametrizations.weight_norm(nn.Conv1d(4, 4, 1))
        self.norm_c = nn.BatchNorm1d(4)
        self.d = nn.Conv1d(4, 4, 1)
        self.norm_d = nn.BatchNorm1d(4)

    def forward(self, x):
        x = self.a(x)
        x = self.b(x + self.norm_a(x))
        x = self.norm_c(self.c(x))
        return self.norm_d(self.norm_d(self.d(x)))

def get_inputs():
    return [torch.randn(2, 4, 6)]

def get_init_inputs():
    return []
"""

# A convolution and a batch norm, and a PAIR of which the one does not go into the other.
HALF_FOLDABLE = HEAD + """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.good = nn.Sequential(nn.ConvND(4, 4, 1), nn.BatchNormND(4), nn.ReLU())
        self.pair = nn.Sequential(PAIR)
        for x in self.modules():
            if isinstance(x, nn.modules.batchnorm._BatchNorm):
                x.running_mean.normal_()
                x.running_var.uniform_(0.5, 2)

    def forward(self, x):
        return self.pair(self.good(x))

def get_inputs():
    return [torch.randn(2, 4, *[6] * N)]

def get_init_inputs():
    return []
"""

# Pairs, and in how many dimensions: groups of a transposed convolution; a linear layer's features
# are the last dimension and a batch norm's the second, be they as many or not.
PAIRS = {
    "nn.ConvTranspose2d(4, 4, 2, groups=2), nn.BatchNorm2d(4)": 2,
    "nn.ConvTranspose1d(4, 4, 2, groups=4), nn.BatchNorm1d(4)": 1,
    "nn.Linear(6, 5), nn.BatchNorm1d(4)": 1,
    "nn.Linear(6, 4), nn.BatchNorm1d(4)": 1,
    "nn.Linear(6, 4), nn.BatchNorm2d(4)": 2,
}


def half_foldable(pair, good=True):
    n = PAIRS[pair]
    task = HALF_FOLDABLE.replace("PAIR", pair).replace("ND", f"{n}d").replace("* N", f"* {n}")
    return task if good else task.replace("self.pair(self.good(x))", "self.pair(x)")


# A convolution of one example has no batch: the norm after it is over places, as many as channels.
UNBATCHED = half_foldable("nn.Linear(6, 4), nn.BatchNorm1d(4)", good=False).replace(
    "nn.Linear(6, 4), nn.BatchNorm1d(4)", "nn.Conv1d(4, 4, 1), nn.BatchNorm1d(4)").replace(
    "randn(2, 4, *[6] * 1)", "randn(4, 4)")

# Norms without weights of their own.
PLAIN_NORMS = HALF_FOLDABLE.replace("ND(4)", "2d(4, affine=False)").replace(
    "PAIR", "nn.Flatten(), nn.Linear(144, 5), nn.BatchNorm1d(5, affine=False)").replace(
    "ND", "2d").replace("* N", "* 2")

# Attention written out: SCORES stands for what is done to q @ k.transpose before the softmax.
WRITTEN_OUT = HEAD + """
class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.project = nn.Linear(16, 48)
        self.dropout = nn.Dropout(0.1)
        self.register_buffer("triangle", torch.tril(torch.ones(8, 8)).view(1, 1, 8, 8))
        self.register_buffer("odd", (torch.arange(64).view(8, 8) % 3 == 1).float())

    def forward(self, x):
        B, T, C = x.size()
        q, k, v = self.project(x).view(B, T, 3, 2, 8).permute(2, 0, 3, 1, 4).unbind(0)
        scores = q @ k.transpose(-2, -1)
        SCORES
        weights = self.dropout(torch.softmax(scores, dim=-1))
        return (weights @ v).transpose(1, 2).reshape(B, T, C)

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = Attention()
        self.head = nn.Linear(16, 4)
        self.read = lambda x: self.head(x)  # a closure that a copy of the model would not follow

    def forward(self, x):
        return self.read(self.attention(x))

def get_inputs():
    return [torch.randn(2, 6, 16)]

def get_init_inputs():
    return []
"""

SCORES = {
    "plain": "pass",
    "scaled": "scores = scores * (1.0 / k.size(-1) ** 0.5)",
    "divided": "scores = scores / 8",
    "causal": "scores = scores.masked_fill(self.triangle[:, :, :T, :T] == 0, float('-inf'))",
    "hidden": "scores = scores.masked_fill(self.odd[:T, :T] == 1, -1e9)",
    "added": "scores = scores / 2 + self.odd[:T, :T]",
}


def written_out(scores):
    return WRITTEN_OUT.replace("SCORES", SCORES.get(scores, scores))


MULTIHEAD = HEAD + """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 2)

    def forward(self, x):
        y, weights = self.attention(x, x, x)
        return y + x

def get_inputs():
    return [torch.randn(6, 2, 16)]

def get_init_inputs():
    return []
"""
