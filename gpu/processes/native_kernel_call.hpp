#pragma once

#include <sys/syscall.h>
#include <unistd.h>

/// System calls that no function of a library has a part in: foreign code in the same process may
/// have replaced those.
namespace lathe::native {

/// Returns what the kernel does, an error as its negative number; on other processors than x86-64
/// libc asks for us.
inline long kernel_call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0,
                        long f = 0) {
#if defined(__x86_64__)
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "+a"(number)
                   : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return number;
#else
  return ::syscall(number, a, b, c, d, e, f);
#endif
}

/// As an argument of a call.
inline long argument(const volatile void* x) {
  return reinterpret_cast<long>(x);
}

} // namespace lathe::native
