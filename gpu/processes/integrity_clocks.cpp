#include "gpu/processes/integrity_state.hpp"

#include "gpu/processes/native.hpp"
#include "gpu/processes/native_kernel_call.hpp"

#include <elf.h>
#include <link.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

namespace lathe::native::integrity {

namespace {

// The kernel's own clock, without a function that could have been replaced.
std::int64_t kernel_clock() {
  timespec t{};
  kernel_call(SYS_clock_gettime, CLOCK_MONOTONIC_RAW, argument(&t));
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

struct span_of_memory {
  const char* begin;
  std::size_t size;
};

// What is constant of the module that holds `address`.
struct module_parts {
  std::uintptr_t address;
  std::vector<span_of_memory> parts;
};

int find_parts(dl_phdr_info* info, std::size_t, void* into) {
  auto& x = *static_cast<module_parts*>(into);
  auto holds = false;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    auto& part = info->dlpi_phdr[i];
    auto begin = info->dlpi_addr + part.p_vaddr;
    holds =
      holds || (part.p_type == PT_LOAD && x.address >= begin && x.address < begin + part.p_memsz);
  }
  for (int i = 0; holds && i < info->dlpi_phnum; ++i) {
    auto& part = info->dlpi_phdr[i];
    if ((part.p_type == PT_LOAD && (part.p_flags & PF_W) == 0) || part.p_type == PT_GNU_RELRO)
      x.parts.push_back(
        {reinterpret_cast<const char*>(info->dlpi_addr + part.p_vaddr), part.p_memsz});
  }
  return holds ? 1 : 0;
}

// Looked for once: to go through all libraries of a process that has CUDA takes half a millisecond.
const std::vector<span_of_memory>& own_parts() {
  static const auto found = [] {
    module_parts result{reinterpret_cast<std::uintptr_t>(&find_parts), {}};
    ::dl_iterate_phdr(find_parts, &result);
    return result.parts;
  }();
  return found;
}

// Several sums side by side, so that none has to wait for the one before.
std::uint64_t sum_of(const span_of_memory& x) {
  std::array<std::uint64_t, 4> sums{1, 2, 3, 4};
  constexpr auto step = sizeof(std::uint64_t) * std::tuple_size_v<decltype(sums)>;
  for (std::size_t at = 0; at + step <= x.size; at += step) {
    decltype(sums) words;
    std::memcpy(words.data(), x.begin + at, step);
    for (std::size_t i = 0; i < sums.size(); ++i)
      sums[i] = (sums[i] ^ words[i]) * 0x9e37'79b9'7f4a'7c15;
  }
  std::uint64_t rest = 0;
  std::memcpy(&rest, x.begin + x.size / step * step, std::min(sizeof(rest), x.size % step));
  for (auto sum : sums)
    rest = (rest ^ sum ^ sum >> 32) * 0x9e37'79b9'7f4a'7c15;
  return rest;
}

// Both clocks are read one after the other, and something may come in between.
constexpr std::int64_t clock_slack = 2'000'000; // [ns]

std::int64_t read_clock(clockid_t which) {
  timespec t{};
  ::clock_gettime(which, &t);
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

// A thread that ends its work a moment after its call did is nobody's cheat; one that works on the
// next inputs while they are being laid out is.
constexpr std::int64_t afterwork = 100'000; // [ns]
constexpr int most_afterwork = 4;           // calls of a race

} // namespace

std::uint64_t own_sum() {
  std::uint64_t result = 0;
  for (auto& part : own_parts())
    result = result * 31 + sum_of(part);
  return result;
}

std::int64_t clock_offset() {
  return now() - kernel_clock();
}

void look_for_patches() {
  auto& s = self();
  auto moved = clock_offset() - s.clock_offset;
  if (moved > clock_slack || moved < -clock_slack)
    refuse("timer-tampering", "the clock that times its calls does not keep the kernel's time");
  if (own_sum() != s.own_sum)
    refuse("timer-tampering", "it changed the evaluator's native code or tables");
}

std::int64_t time_of_other_threads() {
  return read_clock(CLOCK_PROCESS_CPUTIME_ID) - read_clock(CLOCK_THREAD_CPUTIME_ID);
}

void look_for_work_between_calls() {
  auto& s = self();
  auto worked = time_of_other_threads() - s.others_at_end;
  if (worked <= afterwork || ++s.afterworks <= most_afterwork)
    return;
  refuse("background-work",
         "its threads worked for " + std::to_string(worked / 1000) + " us between two timed calls");
}

} // namespace lathe::native::integrity
