// In place of torch's own <torch/library.h>: extensions that register operators get that one.
#pragma once
