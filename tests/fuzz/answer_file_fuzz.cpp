// A candidate's answer as the verifier meets it: a file of values, read and compared with what the
// reference answered. Whatever is in it, there is a verdict.
#include "gpu/verifier/requests.hpp"
#include "messages/unique_fd.hpp"
#include "tests/fuzz/seeded_mutator.hpp"
#include "tests/gpu/verifier/values_writer.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <boost/json.hpp>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>

using namespace lathe::verifier;
using namespace lathe::verifier::test;

namespace {

constexpr std::array policies = {"fp32", "tf32", "half", "kernelbench", "pike"};

// What references return, small enough to be compared some thousand times a second.
std::vector<value> references() {
  auto infinite = std::numeric_limits<float>::infinity();
  mapping dict{{{"mask", value{at::arange(6) > 2}}, {"scale", value{scalar{0.5}}}}};
  return {value{at::linspace(-1, 1, 12).view({3, 4})},
          value{at::tensor({1.F, infinite, -infinite, std::numeric_limits<float>::quiet_NaN()})},
          tuple_of(at::ones({4}, at::kHalf), at::arange(5), dict),
          value{at::complex(at::ones({3}), at::zeros({3}))},
          tuple_of(at::empty({0, 4}), at::scalar_tensor(2.5, at::kDouble), value{scalar{}})};
}

struct reference {
  std::string bytes;
  lathe::unique_fd file;
};

const std::vector<reference>& reference_files() {
  static const auto files = [] {
    std::vector<reference> result;
    for (auto& x : references())
      result.push_back({to_bytes(x), file_of(x)});
    return result;
  }();
  return files;
}

std::string record(const std::string& shape, const std::string& offset, const std::string& bytes) {
  return R"({"dtype": "float32", "shape": )" + shape + R"(, "offset": )" + offset + R"(, "bytes": )"
         + bytes + "}";
}

std::string one_tensor(const std::string& x) {
  return with_header(R"({"tree": {"t": 0}, "tensors": [)" + x + "]}", std::string(512, 'x'));
}

std::string repeated(const std::string& text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i)
    result += text;
  return result;
}

} // namespace

std::vector<std::string> lathe::fuzz::seeds() {
  auto hostile = std::vector<std::string>{
    one_tensor(record("[3, 4]", "256", "48")),
    one_tensor(record("[0, 4611686018427387904, 4]", "256", "0")),
    one_tensor(record("[4294967296, 4294967296]", "256", "0")),
    one_tensor(record("[-1]", "18446744073709551552", "18446744073709551615")),
    one_tensor(record("[NaN]", "256", "4")),
    one_tensor(record("[" + repeated("1, ", 15) + "1]", "256", "4")),
    with_header(R"({"tree": {"list": [{"t": 0}, {"t": 1}]}, "tensors": [)"
                  + record("[16]", "256", "64") + ", " + record("[16]", "256", "64") + "]}",
                std::string(512, 'x')),
    with_header(R"({"tensors": [], "tree": )" + repeated(R"({"list": [)", 31) + R"({"f": "nan"})"
                + repeated("]}", 31) + "}"),
    with_header(R"({"tensors": [], "tree": {"dict": [["a", {"v": 1}], ["a", {"v": 1e999}]]}})"),
    "LVAL"};
  std::vector<std::string> result;
  for (auto& x : hostile)
    result.push_back("0" + x);
  char choice = '0';
  for (auto& x : reference_files())
    result.push_back(std::string{choice++} + x.bytes);
  return result;
}

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  at::set_num_threads(1);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0)
    return 0;
  c10::InferenceMode no_gradients;
  auto choice = static_cast<std::size_t>(data[0] + 256 - '0');
  auto& files = reference_files();
  auto& expected = files[choice % files.size()].file;
  auto got = file_of(std::string_view{reinterpret_cast<const char*>(data) + 1, size - 1});
  boost::json::object request{
    {"op", "compare"}, {"policy", policies[choice / files.size() % policies.size()]},
    {"k", 8},          {"expected", 0},
    {"correction", 1}, {"got", 2}};
  std::array fds{expected.get(), expected.get(), got.get()};
  auto reply = answer(boost::json::serialize(request), fds);
  if (!boost::json::parse(reply).at("ok").as_bool()) {
    std::fprintf(stderr, "the file was no verdict but a failure: %s\n", reply.c_str());
    std::abort();
  }
  return 0;
}
