#include "tests/gpu/processes/process_fixture.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <caf/init_global_meta_objects.hpp>

#include <cstring>

namespace lathe::gpu::testing {

namespace json = boost::json;

std::unique_ptr<warm_process> process_fixture::warm;

void process_fixture::SetUpTestSuite() {
  caf::core::init_global_meta_objects(); // errors carry their sentence in a message
  auto started = warm_process::start({LATHE_TEST_PYTHON, LATHE_TEST_PROCESSES});
  ASSERT_TRUE(started) << describe(started.error());
  warm = std::move(*started);
}

void process_fixture::TearDownTestSuite() {
  warm.reset();
}

worker_config process_fixture::small() {
  worker_config config;
  config.memory = 1ull << 30;
  config.tmp = 256ull << 20;
  config.processes = 64;
  return config;
}

std::unique_ptr<worker_process> process_fixture::spawn(const worker_config& config) {
  auto worker = warm->spawn(config);
  if (!worker) {
    ADD_FAILURE() << describe(worker.error());
    throw std::runtime_error("no worker");
  }
  return std::move(*worker);
}

reply process_fixture::load(worker_process& worker, std::string_view source,
                            std::string_view class_name, std::chrono::milliseconds limit) {
  auto file = shared_memory::holding(source);
  EXPECT_TRUE(file);
  int fds[] = {file->fd()};
  json::object request{
    {"op", "load"}, {"path", "coder#1.py"}, {"class", class_name}, {"mode", "eval"}, {"fd", 0}};
  return worker.call(std::move(request), fds, limit);
}

void process_fixture::prepare(worker_process& worker, std::string_view body) {
  std::string source = "import os, signal, sys, time, torch\n"
                       "class ModelNew(torch.nn.Module):\n"
                       "  def forward(self, x):\n";
  auto loaded = load(worker, source + "    " + std::string{body} + "\n");
  ASSERT_TRUE(loaded.ok()) << loaded.problem().message;
  auto nothing = float_values({});
  int arguments[] = {nothing.fd()};
  auto constructed = worker.call({{"op", "construct"}, {"seed", 1}, {"fd", 0}}, arguments, 60s);
  ASSERT_TRUE(constructed.ok()) << constructed.problem().message;
  auto x = float_values({{1, 2, 3, 4}});
  int inputs[] = {x.fd()};
  auto kept = worker.call({{"op", "inputs"}, {"name", "x"}, {"fd", 0}}, inputs, 60s);
  ASSERT_TRUE(kept.ok()) << kept.problem().message;
}

reply process_fixture::run(worker_process& worker, std::chrono::milliseconds limit) {
  auto output = shared_memory::make(64 * 1024);
  int fds[] = {output->fd()};
  return worker.call({{"op", "run"}, {"inputs", "x"}, {"fd", 0}}, fds, limit);
}

std::string process_fixture::output_of(std::string_view code) {
  auto worker = spawn();
  auto loaded = load(*worker, std::string{code} + "\nclass ModelNew: pass\n");
  EXPECT_TRUE(loaded.ok()) << loaded.problem().message << worker->output_tail();
  return worker->output_tail();
}

shared_memory float_values(const std::vector<std::vector<float>>& tensors) {
  json::array tree;
  json::array records;
  std::size_t offset = 4096;
  for (const auto& tensor : tensors) {
    auto bytes = tensor.size() * sizeof(float);
    tree.push_back(json::object{{"t", records.size()}});
    records.push_back(json::object{{"dtype", "float32"},
                                   {"shape", json::array{tensor.size()}},
                                   {"offset", offset},
                                   {"bytes", bytes}});
    offset += (bytes + 63) / 64 * 64;
  }
  auto header = json::serialize(json::object{{"tree", json::object{{"list", std::move(tree)}}},
                                             {"tensors", std::move(records)}});
  std::string file(offset, '\0');
  std::uint32_t version = 1;
  std::uint64_t length = header.size();
  std::memcpy(file.data(), "LVAL", 4);
  std::memcpy(file.data() + 4, &version, sizeof(version));
  std::memcpy(file.data() + 8, &length, sizeof(length));
  std::memcpy(file.data() + 16, header.data(), header.size());
  offset = 4096;
  for (const auto& tensor : tensors) {
    std::memcpy(file.data() + offset, tensor.data(), tensor.size() * sizeof(float));
    offset += (tensor.size() * sizeof(float) + 63) / 64 * 64;
  }
  auto result = shared_memory::holding(file);
  if (!result)
    throw std::runtime_error(describe(result.error()));
  return std::move(*result);
}

} // namespace lathe::gpu::testing
