// Around torch's own <c10/util/complex.h>: without Thrust.
#pragma once

#include <torch/headeronly/util/complex.h>

#pragma push_macro("__CUDACC__")
#undef __CUDACC__
#include_next <c10/util/complex.h>
#pragma pop_macro("__CUDACC__")
