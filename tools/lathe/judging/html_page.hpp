#pragma once

#include "messages/task.hpp"
#include "tools/lathe/judging/json_document.hpp"
#include "tools/lathe/judging/row.hpp"

#include <string>
#include <vector>

namespace lathe::judging {

/// What was judged, as one page for people: what it comes to, fast_p for every p with the band that
/// ties leave open, and a table of all candidates with their intervals, which sorts when its head
/// is clicked. One file that loads nothing. Whatever candidates wrote is shown as text.
std::string html_page(const std::vector<row>& rows, const environment& where,
                      const unjudged_files& others);

} // namespace lathe::judging
