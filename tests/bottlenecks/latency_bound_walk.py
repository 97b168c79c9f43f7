"""Walks through a graph that is larger than the L2 cache, a walker a warp: it reads the node's 32
neighbours, coalesced, and goes to the one whose number is closest to the step's key. With a single
load in flight per warp, whose address comes from the load before, all wait for memory that is
mostly idle."""

import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

BOTTLENECK = "latency-bound"

SOURCE = """
#include <torch/extension.h>
#include <c10/cuda/CUDAStream.h>

// The distance of two numbers is their exclusive or, as in a distributed hash table.
__global__ void walk_kernel(const int* neighbours, const int* starts, int* ends, int walkers,
                            int steps) {
  const int walker = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
  const int lane = threadIdx.x % 32;
  if (walker >= walkers)
    return;
  unsigned node = starts[walker];
  unsigned key = 0x9e3779b9u * (walker + 1);
  for (int step = 0; step < steps; ++step) {
    unsigned neighbour = neighbours[32 * node + lane];
    node = __reduce_min_sync(0xffffffffu, neighbour ^ key) ^ key;
    key = 1664525u * key + 1013904223u;
  }
  if (lane == 0)
    ends[walker] = node;
}

torch::Tensor walk(torch::Tensor neighbours, torch::Tensor starts, int64_t steps) {
  TORCH_CHECK(neighbours.size(1) == 32, "a node has to have 32 neighbours");
  auto ends = torch::empty_like(starts);
  int walkers = starts.numel();
  walk_kernel<<<(walkers + 3) / 4, 128, 0, at::cuda::getCurrentCUDAStream()>>>(
    neighbours.data_ptr<int>(), starts.data_ptr<int>(), ends.data_ptr<int>(), walkers, steps);
  return ends;
}
"""

extension = load_inline(
    name="profiler_walk",
    cpp_sources="torch::Tensor walk(torch::Tensor neighbours, torch::Tensor starts,"
                " int64_t steps);",
    cuda_sources=SOURCE, functions=["walk"])


class Model(nn.Module):
    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def forward(self, neighbours, starts):
        return extension.walk(neighbours, starts, self.steps)


nodes = 1 << 20
walkers = 132 * 32
steps = 1500


def get_inputs():
    return [torch.randint(0, nodes, (nodes, 32), dtype=torch.int32),
            torch.randint(0, nodes, (walkers,), dtype=torch.int32)]


def get_init_inputs():
    return [steps]
