#include "tools/lathe/doctor/doctor.hpp"

#include "tools/lathe/doctor/capacity_check.hpp"
#include "tools/lathe/doctor/compiler_check.hpp"
#include "tools/lathe/doctor/evaluation_check.hpp"
#include "tools/lathe/doctor/gpu_check.hpp"
#include "tools/lathe/doctor/key_check.hpp"
#include "tools/lathe/doctor/noise_check.hpp"
#include "tools/lathe/doctor/peaks_check.hpp"
#include "tools/lathe/doctor/python_check.hpp"
#include "tools/lathe/doctor/report.hpp"

#include <array>
#include <ostream>
#include <vector>

namespace fs = std::filesystem;

namespace lathe::doctor {

namespace {

using sink = std::function<void(finding)>;

void examine_software(const doctor_options& options, const gpu_facts& gpu, const sink& report) {
  auto python = probe_python(options.python, options.patience);
  report(judge_python(python));
  report(judge_torch(python, gpu.present()));
  for (auto& x : check_evaluation(python, options.processes, options.patience))
    report(std::move(x));
  report(check_verifier(options.verifier, options.patience));
  report(judge_compiler(look_for("g++", options.python), look_for("ninja", options.python),
                        python.facts.headers));
  report(judge_ccache(look_for("ccache", options.python)));
  report(judge_gpu(gpu, python.facts));
  report(judge_cuda_toolkit(look_for("nvcc", options.python), gpu.present(), python.facts.cuda));
  report(judge_cupti(find_cupti(python.facts.site), gpu.present()));
  report(check_peaks(options.cache));
}

void examine_host(const doctor_options& options, const host_noise& noise, const sink& report) {
  report(judge_noise(noise));
  report(check_clock());
  report(check_frequency());
  auto capacity = measure_capacity();
  report(judge_cores(capacity));
  report(judge_memory(capacity));
  std::error_code ignored;
  report(judge_disk(std::array{measure_disk("runs", fs::current_path(ignored) / "runs"),
                               measure_disk("the cache", options.cache)}));
}

} // namespace

void examine(const doctor_options& options, const sink& report) {
  auto noise = watch_host(); // before the other checks make some
  auto gpu = look_for_gpus();
  examine_software(options, gpu, report);
  examine_host(options, noise, report);
  report(check_keys());
}

int run_doctor(const doctor_options& options, report_format format, std::ostream& out) {
  std::vector<finding> findings;
  examine(options, [&](finding x) {
    if (format != report_format::json)
      out << format_row(x, format == report_format::coloured_text) << std::flush;
    findings.push_back(std::move(x));
  });
  if (format == report_format::json)
    out << format_json(findings) << '\n';
  else
    out << '\n' << format_summary(findings);
  return ready(findings) ? 0 : 3;
}

} // namespace lathe::doctor
