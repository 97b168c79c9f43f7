#include "tools/lathe/doctor/peaks_check.hpp"

#include "gpu/measured_peaks.hpp"

#include <fmt/format.h>

namespace lathe::doctor {

namespace {

constexpr auto name = "peaks";

// "3.05 TB/s", "54.1 GFLOP/s"
std::string with_unit(double rate, const char* unit) {
  return rate < 1e12 ? fmt::format("{:.3g} G{}/s", rate * 1e-9, unit)
                     : fmt::format("{:.3g} T{}/s", rate * 1e-12, unit);
}

} // namespace

finding judge_peaks(const std::optional<gpu::device_peaks>& x) {
  if (!x)
    return not_needed(name, "not measured yet; the first task that is prepared has them measured");
  return ok(name,
            fmt::format("copies {}; products of matrices {} in float32, {} in TF32, {} in half "
                        "types",
                        with_unit(x->bandwidth, "B"), with_unit(x->float32, "FLOP"),
                        with_unit(x->tf32, "FLOP"), with_unit(x->half, "FLOP")));
}

finding check_peaks(const std::filesystem::path& cache) {
  auto device = gpu::find_device("auto");
  if (!device)
    return judge_peaks(std::nullopt);
  return judge_peaks(gpu::known_peaks(cache, gpu::measured_device(*device, 1)));
}

} // namespace lathe::doctor
