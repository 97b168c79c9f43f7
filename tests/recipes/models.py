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
