// Around torch's own <torch/headeronly/util/complex.h>: without Thrust, in whose terms it computes
// in kernels. Only for files that have no complex numbers.
#pragma once

#include <c10/macros/Macros.h>
#include <c10/util/Half.h>
#include <complex>

#pragma push_macro("__CUDACC__")
#undef __CUDACC__
#include_next <torch/headeronly/util/complex.h>
#pragma pop_macro("__CUDACC__")
