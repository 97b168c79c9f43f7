#pragma once

#include "gpu/processes/shared_memory.hpp"
#include "gpu/processes/warm_process.hpp"
#include "messages/error.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::gpu::testing {

using namespace std::chrono_literals;

/// One real warm process for all tests of a suite, and workers in their real sandbox.
class process_fixture : public ::testing::Test {
protected:
  static void SetUpTestSuite();
  static void TearDownTestSuite();

  static std::unique_ptr<worker_process> spawn(const worker_config& config = small());

  /// Enough for tests, and little enough to be reached.
  static worker_config small();

  /// Loads `source` as a candidate.
  static reply load(worker_process& worker, std::string_view source,
                    std::string_view class_name = "ModelNew",
                    std::chrono::milliseconds limit = 60s);

  /// Loads a candidate whose call runs `body`, constructs it and gives it one small input, "x".
  static void prepare(worker_process& worker, std::string_view body);

  /// Runs what `prepare` loaded.
  static reply run(worker_process& worker, std::chrono::milliseconds limit = 60s);

  /// Runs `code` at import, in a worker of its own, and returns what it printed.
  static std::string output_of(std::string_view code);

  static std::unique_ptr<warm_process> warm;
};

/// Returns a file of values that holds these tensors of float32, each of `size` elements.
shared_memory float_values(const std::vector<std::vector<float>>& tensors);

} // namespace lathe::gpu::testing
