// In place of torch's own <torch/python.h>, which binds modules, too: tensors for pybind11. Kernels
// need none of it.
#pragma once

#ifndef __CUDACC__
#include <torch/csrc/Exceptions.h>
#include <torch/csrc/utils/pybind.h>
#include <torch/types.h>
#endif
