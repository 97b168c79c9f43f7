#include "gpu/processes/native_kernel_objects.hpp"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace lathe::native {

namespace {

constexpr std::size_t most_sections = 4096; // of what is read; real objects have a few dozen

struct open_file {
  explicit open_file(const std::string& path) : fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    // nop
  }

  open_file(const open_file&) = delete;

  open_file& operator=(const open_file&) = delete;

  ~open_file() {
    if (fd >= 0)
      ::close(fd);
  }

  int fd;
};

// One section of an object file.
struct section {
  std::string name;
  std::uint64_t offset = 0; // [bytes]
  std::uint64_t size = 0;   // [bytes]
};

bool read_at(int fd, std::uint64_t offset, void* target, std::size_t size) {
  return ::pread(fd, target, size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size);
}

std::vector<section> sections_of(int fd) {
  Elf64_Ehdr head;
  if (!read_at(fd, 0, &head, sizeof(head)) || std::memcmp(head.e_ident, ELFMAG, SELFMAG) != 0
      || head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_shentsize != sizeof(Elf64_Shdr)
      || head.e_shnum > most_sections || head.e_shstrndx >= head.e_shnum)
    return {};
  std::vector<Elf64_Shdr> table(head.e_shnum);
  if (!read_at(fd, head.e_shoff, table.data(), table.size() * sizeof(Elf64_Shdr)))
    return {};
  auto& names_at = table[head.e_shstrndx];
  std::string names(std::min<std::uint64_t>(names_at.sh_size, 1 << 20), '\0');
  if (!read_at(fd, names_at.sh_offset, names.data(), names.size()))
    return {};
  std::vector<section> result;
  for (auto& x : table)
    if (x.sh_type == SHT_PROGBITS && x.sh_name < names.size())
      result.push_back({names.c_str() + x.sh_name, x.sh_offset, x.sh_size});
  return result;
}

// What cannot be read is no evidence.
void search(int fd, const section& x, const kernel_names& names, kernel_names& found) {
  auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  auto begin = x.offset / page * page;
  auto size = static_cast<std::size_t>(x.offset - begin + x.size);
  auto* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, static_cast<off_t>(begin));
  if (memory == MAP_FAILED)
    return;
  ::madvise(memory, size, MADV_SEQUENTIAL);
  find_strings({static_cast<const char*>(memory) + (x.offset - begin), x.size}, names, found);
  ::munmap(memory, size);
}

bool lies_in(const std::string& path, const std::vector<std::string>& folders) {
  return std::any_of(folders.begin(), folders.end(),
                     [&](const std::string& x) { return path.starts_with(x); });
}

// Of an installed object.
kernel_author author_of(const std::string& object, const std::string& kernel) {
  if (object.find("/torch/lib/") == std::string::npos)
    return kernel_author::library;
  auto by_name = author_by_name(kernel);
  return by_name == kernel_author::own ? kernel_author::framework : by_name;
}

} // namespace

void find_strings(std::string_view data, const kernel_names& names, kernel_names& found) {
  constexpr std::string_view before{"\0_Z", 3}; // the last string's end, and the next one's begin
  for (std::size_t at = data.starts_with("_Z") ? 0 : data.find(before); at < data.size();
       at = data.find(before, at)) {
    if (data[at] == '\0')
      ++at;
    auto end = data.find('\0', at);
    if (end == std::string_view::npos)
      return;
    if (auto name = names.find(data.substr(at, end - at)); name != names.end())
      found.insert(*name);
    at = end;
  }
}

kernel_names registered_kernels(const std::string& path, const kernel_names& names) {
  open_file file{path};
  auto sections = sections_of(file.fd);
  auto has_device_code = std::any_of(sections.begin(), sections.end(), [](const section& x) {
    return x.name.find("fatbin") != std::string::npos;
  });
  kernel_names result;
  for (auto& x : sections)
    if (has_device_code && (x.name.starts_with(".rodata") || x.name.starts_with(".lrodata")))
      search(file.fd, x, names, result);
  return result;
}

std::vector<std::string> loaded_objects() {
  std::vector<std::string> result;
  auto add = [](dl_phdr_info* object, std::size_t, void* data) {
    if (object->dlpi_name != nullptr && *object->dlpi_name == '/')
      static_cast<std::vector<std::string>*>(data)->emplace_back(object->dlpi_name);
    return 0;
  };
  ::dl_iterate_phdr(add, &result);
  // Most kernels are torch's, and its constant data are small.
  std::stable_partition(result.begin(), result.end(), [](const std::string& x) {
    return x.find("/torch/lib/") != std::string::npos;
  });
  return result;
}

std::vector<std::string> installed_folders(const std::vector<std::string>& objects) {
  std::vector<std::string> result{"/usr/", "/lib/", "/lib64/", "/opt/"};
  for (auto& path : objects) {
    auto inside = path.find("/torch/lib/libtorch");
    if (inside == std::string::npos)
      continue;
    auto packages = path.substr(0, inside + 1);
    // An environment keeps other libraries beside its packages.
    auto python = packages.rfind("/lib/python");
    result.push_back(python == std::string::npos ? packages : packages.substr(0, python + 1));
    break;
  }
  return result;
}

std::map<std::string, kernel_author> authors_of(const kernel_names& kernels,
                                                const std::vector<std::string>& objects,
                                                const std::vector<std::string>& installed) {
  std::map<std::string, kernel_author> result;
  kernel_names open; // what is not mangled may be any word
  for (auto& name : kernels)
    if (name.starts_with("_Z"))
      open.insert(name);
  for (auto& path : objects)
    if (!open.empty() && lies_in(path, installed))
      for (auto& name : registered_kernels(path, open)) {
        result[name] = author_of(path, name);
        open.erase(name);
      }
  for (auto& path : objects)
    if (!open.empty() && !lies_in(path, installed))
      for (auto& name : registered_kernels(path, open)) {
        result[name] = kernel_author::own;
        open.erase(name);
      }
  for (auto& name : kernels)
    result.try_emplace(name, author_by_name(name));
  return result;
}

} // namespace lathe::native
