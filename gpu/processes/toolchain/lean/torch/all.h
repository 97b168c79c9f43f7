// In place of torch's own <torch/all.h>, the whole C++ frontend: tensors and operators.
#pragma once

#include <torch/types.h>
