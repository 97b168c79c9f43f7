#pragma once

#include <cstddef>

namespace lathe::gpu {

/// Says what counts of what is timed on a processor whose core a neighbour may share, from probes
/// (`seconds_of_probe`) after each thing that was timed. Pure: who feeds it has the probes made.
///
/// A neighbour is whoever shares the core, mostly of another virtual machine, which cannot be
/// stopped, nor seen but by this. Beside one, whoever launches kernels takes up to twice as long,
/// and a CUDA graph does not: a model's speed-up by a graph would come out twice as high. It comes
/// and goes within a tenth of a second, and mostly has no part in other processors.
class neighbour_watch {
public:
  /// Tells whether what was timed just before a probe counts. Where several in a row did not, or
  /// too many all together, no calm processor is to be had, and from then on everything does.
  /// @param probe what it took on the same processor [seconds]
  /// @param calm what a probe takes where there is no neighbour [seconds]; 0: not known, and
  ///             everything counts
  bool counts(double probe, double calm);

  /// Whether no calm processor was to be had.
  bool has_given_up() const;

  /// So much did not count.
  std::size_t discarded() const {
    return discarded_;
  }

private:
  std::size_t discarded_ = 0;
  std::size_t in_a_row_ = 0;
};

} // namespace lathe::gpu
