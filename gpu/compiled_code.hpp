#pragma once

#include "gpu/processes/shared_memory.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>

namespace lathe::gpu {

/// Who had a part in what was compiled.
enum class author : std::uint8_t {
  rules,  ///< nobody but Lathe and its user: a recipe of a task
  anybody ///< a candidate, which may have left itself a note
};

/// What compilers made for candidates, kept for later evaluations: archives of the records that
/// workers pack, each after its length in eight bytes; a file each, in a folder of the user's
/// cache. Nobody here reads what is in the records: they are opened in sandboxes alone. What cannot
/// be written is compiled again. Safe to use from several threads and processes.
class compiled_code {
public:
  /// @param folder is made when something is to be kept
  /// @param limit [bytes] of all archives together; beyond, those go that were not used for
  ///              longest. 0: nothing is kept
  compiled_code(std::filesystem::path folder, std::int64_t limit);

  bool keeps() const {
    return limit_ > 0;
  }

  /// Returns the archive of this name. Of anybody's there is none that was added since this object
  /// was made: a candidate that is judged again meets the same inputs, and could have kept answers.
  /// @param name all that the content depends on
  std::optional<shared_memory> find(const std::string& name, author whose);

  /// Whether there is an archive of this name, of nobody but the rules, and whole.
  bool has(const std::string& name) const;

  /// Whether a record for the archive of this name would be of use: who got none back packs what it
  /// has packed before.
  bool wants(const std::string& name, author whose);

  /// Adds to the archive of this name. Returns false when it could not be written.
  bool add(const std::string& name, std::span<const std::byte> record);

  /// Takes the archive away: somebody did not survive it.
  void drop(const std::string& name);

private:
  std::filesystem::path file_for(const std::string& name) const;
  void make_room();

  const std::filesystem::path folder_;
  const std::int64_t limit_;
  std::mutex mutex_; // guards what follows
  std::set<std::string> added_;
  std::optional<std::int64_t> held_; // [bytes]; nothing until somebody had to know
};

/// Returns an archive of this record alone.
caf::expected<shared_memory> archive_of(std::span<const std::byte> record);

} // namespace lathe::gpu
