#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lathe::judging {

/// One column of a table.
struct column {
  std::string title;
  std::size_t width = 0;     ///< [characters] to begin with; the title and `fit` may make it wider
  bool cut_in_front = false; ///< what is too long loses its beginning (paths), not its end
};

/// Lines with aligned columns, each made on its own, so that they can be printed as they come. The
/// last column takes what is left of the line.
class text_table {
public:
  /// @param width [characters] of a line; 0: lines are as long as they need to be
  text_table(std::vector<column> columns, std::size_t width);

  /// Makes the column wide enough for `text`, but no wider than `most` characters.
  void fit(std::size_t column, std::string_view text, std::size_t most);

  std::string header() const;

  /// Returns the line of these cells, one a column, without its end.
  std::string line(const std::vector<std::string>& cells) const;

private:
  std::vector<column> columns_;
  std::size_t width_;
};

/// Returns the number of characters of UTF-8 text.
std::size_t characters(std::string_view text);

/// Shortens text to that many characters, with an ellipsis where something is missing.
std::string shortened(std::string_view text, std::size_t width, bool cut_in_front);

} // namespace lathe::judging
