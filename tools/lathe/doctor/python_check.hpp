#pragma once

#include "tools/lathe/doctor/finding.hpp"
#include "tools/lathe/doctor/program.hpp"

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>

namespace lathe::doctor {

/// What an interpreter says of itself. Empty texts: it did not get so far.
struct python_facts {
  std::string version;
  std::string extension_suffix; ///< of native modules that it loads
  bool headers = false;         ///< Python.h is there
  std::string torch;            ///< version
  std::filesystem::path site;   ///< the folder that torch was installed into
  std::string cuda;             ///< that torch was built for; empty for a CPU build
  bool cuda_usable = false;     ///< torch finds a GPU that it can use
  double import_seconds = 0;
};

/// Reads what the probe printed, whatever else was printed in between.
python_facts parse_python_facts(std::string_view output);

/// A probed interpreter.
struct python_probe {
  std::filesystem::path path;
  program_run run;
  python_facts facts;
};

/// Has the interpreter import torch.
python_probe probe_python(const std::filesystem::path& python, std::chrono::milliseconds limit);

finding judge_python(const python_probe& x);

/// @param gpu whether this machine has a GPU that torch should be able to use
finding judge_torch(const python_probe& x, bool gpu);

} // namespace lathe::doctor
