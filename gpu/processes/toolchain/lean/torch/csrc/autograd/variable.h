// In place of torch's own <torch/csrc/autograd/variable.h>: what torch's factories end with.
#pragma once

#include <ATen/core/Tensor.h>

#include <utility>

namespace torch::autograd {

using Variable = at::Tensor;

/// `data` was made just now: nothing else holds it, and it has no gradient yet. Takes the steps that
/// torch's takes then, as the calls of a candidate are timed.
inline Variable make_variable(at::Tensor data, bool requires_grad) {
  if (!data.defined())
    return Variable();
  if (requires_grad || data.use_count() != 1 || !data.getIntrusivePtr()->unique_version()) {
    data.set_requires_grad(requires_grad);
    return data;
  }
  auto fresh = data.unsafeReleaseIntrusivePtr();
  fresh->set_allow_tensor_metadata_change(true);
  fresh->set_autograd_meta(nullptr);
  return Variable(std::move(fresh));
}

} // namespace torch::autograd
