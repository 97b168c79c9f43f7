// In place of torch's own <torch/csrc/autograd/variable.h>: what torch's factories end with.
#pragma once

#include <ATen/core/Tensor.h>

namespace torch::autograd {

using Variable = at::Tensor;

/// `data` was made just now: nothing else holds it, and it has no gradient yet.
inline Variable make_variable(at::Tensor data, bool requires_grad) {
  if (requires_grad && data.defined())
    data.set_requires_grad(true);
  return data;
}

} // namespace torch::autograd
