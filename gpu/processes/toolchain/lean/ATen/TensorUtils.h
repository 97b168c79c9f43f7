// In place of torch's own <ATen/TensorUtils.h>, which every operator's header includes and none needs.
#pragma once
