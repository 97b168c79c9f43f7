// In place of torch's own <ATen/Context.h>, which every operator's header includes and none needs.
#pragma once
