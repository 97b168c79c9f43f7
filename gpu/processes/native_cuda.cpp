#include "gpu/processes/native_cuda.hpp"

#include "gpu/processes/native.hpp"
#include "gpu/processes/native_driver.hpp"

#include <cuda.h>

#include <algorithm>

namespace lathe::native {

namespace {

// What a device is probed with: a kernel that takes a few microseconds comes back so soon [ns] unless
// others use the device, again and again.
constexpr std::size_t small_kernel = 64 * 1024; // [bytes] that it writes
constexpr std::int64_t prompt = 200'000;
constexpr int prompt_kernels = 25;

// Sets `found` where two pieces of memory differ. A thread that has found something is done.
constexpr char comparison[] = R"(.version 6.0
.target sm_50
.address_size 64
.visible .entry differ(.param .u64 left, .param .u64 right, .param .u64 bytes, .param .u64 found)
{
  .reg .pred %p;
  .reg .b32 %r<12>;
  .reg .b64 %rd<12>;
  ld.param.u64 %rd1, [left];
  ld.param.u64 %rd2, [right];
  ld.param.u64 %rd3, [bytes];
  ld.param.u64 %rd4, [found];
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %tid.x;
  mov.u32 %r4, %nctaid.x;
  mul.wide.u32 %rd5, %r1, %r2;
  cvt.u64.u32 %rd6, %r3;
  add.u64 %rd5, %rd5, %rd6;
  mul.wide.u32 %rd6, %r4, %r2;
  shr.u64 %rd7, %rd3, 2;
words:
  setp.ge.u64 %p, %rd5, %rd7;
  @%p bra tail;
  shl.b64 %rd8, %rd5, 2;
  add.u64 %rd9, %rd1, %rd8;
  add.u64 %rd10, %rd2, %rd8;
  ld.global.u32 %r5, [%rd9];
  ld.global.u32 %r6, [%rd10];
  add.u64 %rd5, %rd5, %rd6;
  setp.eq.u32 %p, %r5, %r6;
  @%p bra words;
  mov.u32 %r7, 1;
  st.global.u32 [%rd4], %r7;
tail:
  or.b32 %r8, %r1, %r3;
  setp.ne.u32 %p, %r8, 0;
  @%p bra end;
  shl.b64 %rd8, %rd7, 2;
bytes_left:
  setp.ge.u64 %p, %rd8, %rd3;
  @%p bra end;
  add.u64 %rd9, %rd1, %rd8;
  add.u64 %rd10, %rd2, %rd8;
  ld.global.u8 %r5, [%rd9];
  ld.global.u8 %r6, [%rd10];
  add.u64 %rd8, %rd8, 1;
  setp.eq.u32 %p, %r5, %r6;
  @%p bra bytes_left;
  mov.u32 %r7, 1;
  st.global.u32 [%rd4], %r7;
end:
  ret;
}
)";

// Philox4x32-10 over memory, 16 bytes at a time: see input_lock.hpp, whose words these are.
constexpr char locking[] = R"(.version 6.0
.target sm_50
.address_size 64
.visible .entry toggle(.param .u64 target, .param .u64 source, .param .u64 units,
                       .param .u64 key, .param .u64 nonce)
{
  .reg .pred %p;
  .reg .b32 %c<4>;
  .reg .b32 %k<2>;
  .reg .b32 %r<24>;
  .reg .b64 %rd<14>;
  ld.param.u64 %rd1, [target];
  ld.param.u64 %rd2, [source];
  ld.param.u64 %rd3, [units];
  ld.param.u64 %rd4, [key];
  ld.param.u64 %rd5, [nonce];
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %tid.x;
  mov.u32 %r4, %nctaid.x;
  mul.wide.u32 %rd6, %r1, %r2;
  cvt.u64.u32 %rd7, %r3;
  add.u64 %rd6, %rd6, %rd7;
  mul.wide.u32 %rd7, %r4, %r2;
next:
  setp.ge.u64 %p, %rd6, %rd3;
  @%p bra end;
  mov.b64 {%c0, %c1}, %rd6;
  mov.b64 {%c2, %c3}, %rd5;
  mov.b64 {%k0, %k1}, %rd4;
  mov.u32 %r5, 10;
round:
  mul.wide.u32 %rd8, %c0, 0xD2511F53;
  mul.wide.u32 %rd9, %c2, 0xCD9E8D57;
  mov.b64 {%r6, %r7}, %rd8;
  mov.b64 {%r8, %r9}, %rd9;
  xor.b32 %c0, %r9, %c1;
  xor.b32 %c0, %c0, %k0;
  mov.u32 %c1, %r8;
  xor.b32 %c2, %r7, %c3;
  xor.b32 %c2, %c2, %k1;
  mov.u32 %c3, %r6;
  add.u32 %k0, %k0, 0x9E3779B9;
  add.u32 %k1, %k1, 0xBB67AE85;
  sub.u32 %r5, %r5, 1;
  setp.ne.u32 %p, %r5, 0;
  @%p bra round;
  shl.b64 %rd10, %rd6, 4;
  add.u64 %rd11, %rd2, %rd10;
  add.u64 %rd12, %rd1, %rd10;
  ld.global.v4.u32 {%r10, %r11, %r12, %r13}, [%rd11];
  xor.b32 %r10, %r10, %c0;
  xor.b32 %r11, %r11, %c1;
  xor.b32 %r12, %r12, %c2;
  xor.b32 %r13, %r13, %c3;
  st.global.v4.u32 [%rd12], {%r10, %r11, %r12, %r13};
  add.u64 %rd6, %rd6, %rd7;
  bra next;
end:
  ret;
}
)";

constexpr std::size_t locked_unit = 16; // [bytes]

constexpr unsigned most_blocks = 1024;
constexpr unsigned threads_of_block = 256;

// So many threads as there are pieces, if they are not too many.
void launch(CUfunction function, std::uint64_t pieces, void** arguments) {
  auto blocks =
    static_cast<unsigned>(std::clamp<std::uint64_t>(pieces / threads_of_block, 1, most_blocks));
  check(cuda().launch(function, blocks, 1, 1, threads_of_block, 1, 1, 0, CU_STREAM_LEGACY,
                      arguments, nullptr));
}

CUfunction function_in(const char* code, const char* name) {
  CUmodule module = nullptr;
  CUfunction result = nullptr;
  check(cuda().load_module(&module, code));
  check(cuda().find_function(&result, module, name));
  return result;
}

// The marks and the memory that is written to evict everything else. Made once: a worker has one
// device and one context. The process ends with the context, so nothing is given back.
struct instruments {
  instruments() {
    check(cuda().create_event(&first, CU_EVENT_DEFAULT));
    check(cuda().create_event(&second, CU_EVENT_DEFAULT));
  }

  // Writes to the first `bytes` of a buffer.
  void evict(std::size_t bytes) {
    if (bytes > size) {
      if (size > 0)
        check(cuda().release(memory));
      size = 0;
      check(cuda().allocate(&memory, bytes));
      size = bytes;
    }
    if (bytes > 0)
      check(cuda().set_memory(memory, ++pattern, bytes / sizeof(unsigned), legacy_stream));
  }

  // Legacy: waits for, and is waited for by, every stream that did not opt out.
  CUstream legacy_stream = CU_STREAM_LEGACY;
  CUevent first = nullptr;
  CUevent second = nullptr;
  CUdeviceptr memory = 0;
  std::size_t size = 0;
  unsigned pattern = 0;
  std::int64_t asking = INT64_MAX; // [ns] to find an idle device idle, at least
};

instruments& tools() {
  static instruments instance;
  return instance;
}

// Compares memory on the device. Made once, as the instruments are.
struct comparer {
  comparer() {
    check(cuda().allocate(&found, sizeof(unsigned)));
    forget();
  }

  void forget() {
    check(cuda().set_memory(found, 0, 1, tools().legacy_stream));
  }

  CUfunction function = function_in(comparison, "differ");
  CUdeviceptr found = 0; // not 0 when something differed
};

comparer& differences() {
  static comparer instance;
  return instance;
}

} // namespace

void settle_device(std::size_t flush_bytes) {
  auto& x = tools();
  x.evict(flush_bytes);
  // Devices without such lines refuse; they have nothing to reset.
  static_cast<void>(cuda().reset_persisting_l2());
  check(cuda().synchronize());
}

void begin_device_call() {
  auto& x = tools();
  check(cuda().record_event(x.first, x.legacy_stream));
}

device_times end_device_call() {
  auto& x = tools();
  check(cuda().record_event(x.second, x.legacy_stream));
  check(cuda().wait_for_event(x.second));
  auto marked = now();
  check(cuda().synchronize());
  auto idle = now();
  check(cuda().synchronize());
  // What it takes where there is nothing to wait for: somebody could give it something.
  x.asking = std::min(x.asking, now() - idle);
  float milliseconds = 0;
  check(cuda().elapsed_time(&milliseconds, x.first, x.second));
  device_times result;
  result.after = std::max<std::int64_t>(0, idle - marked - x.asking);
  result.device = static_cast<std::int64_t>(static_cast<double>(milliseconds) * 1e6);
  return result;
}

void copy_on_device(const refill& x) {
  check(cuda().copy(x.target, x.source, x.bytes, tools().legacy_stream));
}

void copy_on_device(const refill& x, const gpu::input_key& key) {
  static const auto toggle = function_in(locking, "toggle");
  CUdeviceptr target = x.target;
  CUdeviceptr source = x.source;
  std::uint64_t units = (x.bytes + locked_unit - 1) / locked_unit;
  auto words = key;
  void* arguments[] = {&target, &source, &units, &words.key, &words.nonce};
  launch(toggle, units, arguments);
}

void compare_on_device(const refill& x) {
  auto& d = differences();
  CUdeviceptr left = x.target;
  CUdeviceptr right = x.source;
  std::uint64_t bytes = x.bytes;
  void* arguments[] = {&left, &right, &bytes, &d.found};
  launch(d.function, bytes / sizeof(unsigned), arguments);
}

bool take_differences() {
  auto& d = differences();
  check(cuda().synchronize());
  unsigned found = 0;
  check(cuda().fetch(&found, d.found, sizeof(found)));
  d.forget();
  return found != 0;
}

void wait_for_device() {
  check(cuda().synchronize());
}

bool wait_until_quiet(std::int64_t patience) {
  auto& x = tools();
  auto until = now() + patience;
  for (int in_a_row = 0; in_a_row < prompt_kernels;) {
    auto began = now();
    x.evict(small_kernel);
    check(cuda().synchronize());
    auto ended = now();
    in_a_row = ended - began < prompt ? in_a_row + 1 : 0;
    if (ended > until && in_a_row < prompt_kernels)
      return false;
  }
  return true;
}

} // namespace lathe::native
