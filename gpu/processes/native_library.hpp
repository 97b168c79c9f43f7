#pragma once

#include <dlfcn.h>

#include <initializer_list>
#include <stdexcept>
#include <string>
#include <utility>

namespace lathe::native {

/// A shared library that is found at run time, and stays loaded. Functions throw std::runtime_error
/// for what is not there.
class library {
public:
  /// Loads the first of `names` that there is.
  /// @param title what people call it
  library(std::string title, std::initializer_list<const char*> names) : title_(std::move(title)) {
    for (auto* name : names)
      if ((handle_ = ::dlopen(name, RTLD_NOW)) != nullptr)
        return;
    throw std::runtime_error{"there is no " + title_};
  }

  /// Looks a function up, by the name it has in `older` versions where the current one is unknown.
  template <class Function>
  void find(const char* name, Function*& result, const char* older = nullptr) const {
    auto* symbol = ::dlsym(handle_, name);
    if (symbol == nullptr && older != nullptr)
      symbol = ::dlsym(handle_, older);
    if (symbol == nullptr)
      throw std::runtime_error{title_ + " lacks " + name};
    result = reinterpret_cast<Function*>(symbol);
  }

private:
  std::string title_;
  void* handle_ = nullptr;
};

} // namespace lathe::native
