#pragma once

#include "messages/task.hpp"

#include <string_view>

// What the least is that a task asks of a device, and how fast the device can give it. Pure.

namespace lathe::gpu {

/// What a device does at best, as measured on this machine.
struct device_peaks {
  double bandwidth = 0; ///< [bytes/s] of a copy that no cache holds, read plus written
  double reading = 0;   ///< [bytes/s] of a sum that no cache holds
  double cached = 0;    ///< [bytes/s] of a copy that the last cache holds
  double float32 = 0;   ///< [operations/s] of a product of matrices; a multiply-add is two
  double tf32 = 0;      ///< the same, where products may round their factors to TF32
  double half = 0;      ///< the same in float16 or bfloat16, whichever is faster
  double cache = 0;     ///< [bytes] of the last cache
  bool flushed = false; ///< that cache is flushed before a timed call: on a GPU, not on the CPU

  friend bool operator==(const device_peaks&, const device_peaks&) = default;
};

/// Tells whether these can be a device's peaks: finite and positive rates.
bool is_plausible(const device_peaks& x);

/// Returns the faster of two measurements, rate by rate: noise only ever makes a device slower.
device_peaks best_of(const device_peaks& x, const device_peaks& y);

/// What one call of the reference moves and computes, counted while it ran.
struct call_work {
  double inputs = 0;     ///< [bytes] that it reads of its inputs
  double parameters = 0; ///< [bytes] that it reads of parameters and buffers
  double outputs = 0;    ///< [bytes] that it writes and hands out
  double operations = 0; ///< of matrix products, convolutions and attention
  bool narrow = false;   ///< it works in half types itself
  double read = 0;       ///< [bytes] of inputs that decide the answer, see `sure_floor`
  double written = 0;    ///< [bytes] of outputs that have to be made anew, see `sure_floor`
};

/// Returns the roofline floor that reports state: all bytes once, all operations once, at the
/// measured peaks. It says what the reference's own way asks for. Who needs less arithmetic, or
/// less data, may be faster.
///
/// Operations count at the rate of the precision that the tolerance allows. Float32's is the larger
/// of the plain rate and a third of TF32's, since three products in TF32 make up one in float32.
/// Bytes that the last cache may still hold count at its rate where it is not flushed.
/// @param tolerance "fp32", "tf32", "half", "kernelbench", "pike"
roofline stated_floor(const call_work& work, const device_peaks& peaks, std::string_view tolerance);

/// Returns how much of what is read, and of what is written, need not move beyond the last cache
/// [bytes]: one of its size, and four where it is not flushed, since others share its host's
/// caches.
double spared_bytes(double cache, bool flushed);

/// Returns a time [seconds] that no honest call can stay under; 0 where nothing is sure. What the
/// rule `below-roofline` refuses by, and so not what reports state.
///
/// - Operations do not count. A product may be folded (a sum over the outputs of a layer is one
///   product with a vector), reassociated, triangular, diagonal or sparse by construction; Winograd
///   and FFT save a factor, and which precision is fastest changes with the hardware.
/// - Parameters do not count: they may be folded, packed, or not matter.
/// - Of inputs count float32 values that differ between draws and from each other, in tensors of no
///   low rank (no row follows from others), if each of 16 elements drawn at random changes a
///   float64 answer when it takes another element's value. If fewer than half of the elements
///   mattered, 16 of 16 would have one chance in 65,000. So half of these bytes have to be read,
///   which also leaves room for a symmetric matrix.
/// - Of outputs count float32 values that differ between draws and from each other, in tensors of
///   no low rank, and that are among neither inputs nor parameters: what is left can be no view of
///   anything else, expanded or overlapping, and lies somewhere in memory once.
/// - `spared_bytes` of what is read may still be in the last cache, and as much of what is written
///   need not have left it.
/// - What is left moves at twice the faster of the measured copy and the measured sum: clocks vary,
///   and on a host that others use, so does the bandwidth.
double sure_floor(const call_work& work, const device_peaks& peaks);

} // namespace lathe::gpu
