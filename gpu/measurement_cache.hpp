#pragma once

#include <boost/json/object.hpp>

#include <filesystem>
#include <optional>
#include <vector>

namespace lathe::gpu {

/// Measurements that outlive a run: one small JSON file each, in a folder of the user's cache,
/// named by a hash of what was measured. What cannot be read, or was measured of something else, is
/// not there; what cannot be written is measured again next time. Safe to use from several threads
/// and processes: a file is replaced as a whole.
class measurement_cache {
public:
  /// @param folder is made when something is to be kept; empty: nothing is kept
  explicit measurement_cache(std::filesystem::path folder);

  /// @param subject all that the measurement depends on
  std::optional<boost::json::object> find(const boost::json::object& subject) const;

  /// Returns false when it could not be written. Where nothing is kept, that is no failure.
  bool keep(const boost::json::object& subject, boost::json::object measured) const;

  /// Returns what was measured so far.
  std::vector<boost::json::object> subjects() const;

private:
  std::filesystem::path file_for(const boost::json::object& subject) const;

  std::filesystem::path folder_;
};

} // namespace lathe::gpu
