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
