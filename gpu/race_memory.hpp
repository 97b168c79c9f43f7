#pragma once

#include <cstddef>

namespace lathe::gpu {

/// What a race takes of memory beside what calls take: inputs that are new, and outputs that are
/// kept for comparison. Sizes in bytes.
struct race_memory {
  std::size_t input = 0;  ///< of one draw
  std::size_t output = 0; ///< of one draw
  std::size_t draws = 1;  ///< whose inputs are new

  /// How many of the new inputs a process holds at once: large ones make way for each other.
  std::size_t inputs_held() const;

  /// How many outputs of timed calls are kept.
  std::size_t outputs_kept() const;

  /// How many of these are for inputs that were new.
  std::size_t outputs_of_new_inputs() const;

  /// Inputs that are held, but for those of one draw.
  std::size_t input_bytes() const;

  /// All of it, but for the inputs of one draw, which calls outside of a race need as well.
  std::size_t bytes() const;

  /// Whether it is so much that the reference keeps no outputs.
  bool is_large() const;
};

} // namespace lathe::gpu
