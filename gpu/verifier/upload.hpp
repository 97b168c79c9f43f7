#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstddef>
#include <cstdint>

namespace lathe::verifier {

/// Reads `size` bytes at `offset`; false when the file ends too early.
bool copy_out(int fd, std::uint64_t offset, void* to, std::size_t size);

/// Reads bytes of a file, each of them once, into a tensor of bytes on `place`. A GPU gets them
/// through page-locked memory, piece by piece, while the next piece is read. Several threads share
/// large ones. Undefined when the file ends too early.
/// @param offset, size [bytes]
at::Tensor upload(int fd, std::uint64_t offset, std::size_t size, at::Device place);

} // namespace lathe::verifier
