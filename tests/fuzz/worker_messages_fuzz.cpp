// All that a worker's socket can bring: messages with and without a seal, farewells, descriptors.
#include "gpu/processes/channel.hpp"
#include "gpu/processes/reply.hpp"
#include "gpu/processes/reply_seal.hpp"
#include "messages/error.hpp"
#include "messages/registration.hpp"
#include "tests/fuzz/seeded_mutator.hpp"

#include <caf/init_global_meta_objects.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <sys/socket.h>

using namespace lathe::gpu;

namespace {

constexpr std::uint64_t id = 7; // of the request that is under way

// Every key that Lathe looks up in an answer of a worker.
constexpr const char* keys[] = {"id",   "ok",   "kind",           "message",    "summary",
                                "line", "rule", "inputs_changed", "ns",         "after_ns",
                                "kept", "text", "seeds",          "parameters", "kernels",
                                "pid",  "cuda", "missing",        "busy_ns",    "late_ns"};

void require(bool holds) {
  if (!holds)
    std::abort();
}

void look_up_everything(const reply& answer) {
  for (auto key : keys) {
    answer.flag(key);
    answer.integer(key);
    answer.integers(key);
    answer.text(key);
    answer.texts(key);
  }
  if (!answer.ok()) {
    auto& problem = answer.problem();
    require(problem.how != lathe::outcome::correct);
    require(!problem.summary.empty() && !problem.message.empty());
  }
}

void read_as_answer(std::string_view text) {
  parse_farewell(text);
  look_up_everything(reply::parse(text, id, {}));
}

void open_seals(const std::string& text) {
  static const auto seal = reply_seal::from_text("000102030405060708090a0b0c0d0e0f");
  std::string_view unsealed = text;
  if (seal.open(unsealed)) // found by chance, or copied from a seed
    require(unsealed.size() + reply_seal::size == text.size());
  auto sealed = seal.of(text) + text;
  std::string_view opened = sealed;
  require(seal.open(opened) && opened == text);
  sealed.back() = static_cast<char>(sealed.back() ^ 1);
  opened = sealed;
  require(!seal.open(opened));
  reply_seal::from_text(text);
}

bool send(int socket, std::string text, std::size_t descriptors) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 64)] = {};
  iovec content{text.data(), text.size()};
  msghdr header{};
  header.msg_iov = &content;
  header.msg_iovlen = 1;
  if (descriptors > 0) {
    std::vector<int> copies(descriptors, socket);
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors);
    auto part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(int) * descriptors);
    std::memcpy(CMSG_DATA(part), copies.data(), sizeof(int) * descriptors);
  }
  return ::sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

// The lowest number that is free: it rises when a descriptor is left open.
int next_descriptor() {
  unique_fd probe{::fcntl(0, F_DUPFD_CLOEXEC, 0)};
  return probe.get();
}

void receive(const std::string& text, std::size_t descriptors) {
  static auto ends = channel::make();
  require(static_cast<bool>(ends));
  auto& [ours, theirs] = *ends;
  auto before = next_descriptor();
  if (!send(theirs.get(), text, descriptors))
    return;
  {
    auto message = ours.receive();
    auto whole = !text.empty() && text.size() <= channel::max_message_size
                 && descriptors <= channel::max_descriptors;
    require(whole == static_cast<bool>(message));
    if (message)
      require((*message)->text == text && (*message)->fds.size() == descriptors);
  }
  require(next_descriptor() == before);
}

} // namespace

// Errors carry a sentence, for which CAF's own types are enough.
void lathe::register_messages() {
  // nop
}

std::vector<std::string> lathe::fuzz::seeds() {
  return {
    R"(0{"id": 7, "ok": true, "ns": [1200, 1300], "after_ns": [1, 2], "inputs_changed": false, "kept": 1})",
    R"(0{"id": 7, "ok": false, "kind": "build_failed", "message": "no", "summary": "c.py:3: no", "line": 3})",
    R"(1{"id": 7, "ok": false, "kind": "refused", "rule": "global-state", "message": "it changed"})",
    R"(2{"id": 7, "ok": true, "kernels": 3, "busy_ns": 9223372036854775807, "late_ns": -1})",
    R"(3{"id": 18446744073709551616, "ok": 1e400, "line": 1.5, "missing": ["user", null]})",
    R"(9{"ended": {"signal": "SIGSEGV"}})",
    R"(0{"ended": {"exit": 3}})",
    R"(0{"ended": {"exit": "x", "signal": 9}})",
    "0" + std::string(300, '[') + std::string(300, ']'),
    "00011223344556677{\"id\": 7}",
  };
}

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  caf::core::init_global_meta_objects();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0)
    return 0;
  std::string text{reinterpret_cast<const char*>(data) + 1, size - 1};
  read_as_answer(text);
  if (!text.empty())
    open_seals(text);
  receive(text, (data[0] + 64u - '0') % 64);
  return 0;
}
