#pragma once

#include "tools/lathe/doctor/finding.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace lathe::doctor {

/// A program that evaluation processes call.
struct tool {
  std::filesystem::path path; ///< empty: it is nowhere
  std::string version;        ///< empty: it does not say
  bool reachable = true;      ///< evaluation processes find it, not only the user's shell

  bool usable() const {
    return !path.empty() && reachable;
  }
};

/// Looks for a program where evaluation processes do, then in the user's PATH, and asks
/// `--version`.
tool look_for(const std::string& name, const std::filesystem::path& python);

/// torch.compile on a CPU calls g++ and needs Python.h, load_inline calls ninja as well.
finding judge_compiler(const tool& gxx, const tool& ninja, bool python_headers);

/// @param torch_cuda the CUDA version that torch was built for; empty for a CPU build
finding judge_cuda_toolkit(const tool& nvcc, bool gpu, const std::string& torch_cuda);

/// Shortens builds of Lathe, no more.
finding judge_ccache(const tool& ccache);

} // namespace lathe::doctor
