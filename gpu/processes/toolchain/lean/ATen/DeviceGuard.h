// In place of torch's own <ATen/DeviceGuard.h>, which every operator's header includes and none needs.
#pragma once
