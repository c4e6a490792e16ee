// The EFI system partition, mounted for as long as this object lives.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace thole::upgrade {

class Esp {
   public:
    /// Mounts it where only root comes. `device` is its path.
    static Result<Esp> mount(const std::string& device);
    ~Esp();
    Esp(Esp&& other) noexcept;
    Esp& operator=(Esp&&) = delete;
    Esp(const Esp&) = delete;
    Esp& operator=(const Esp&) = delete;

    /// The files in EFI/Linux.
    [[nodiscard]] Result<std::vector<std::string>> kernels() const;
    [[nodiscard]] std::string path_of(std::string_view kernel) const;
    /// Of anything on it, by its path there.
    [[nodiscard]] std::string path(std::string_view below) const;

    /// Renames a kernel image, through to the medium.
    [[nodiscard]] Status rename(std::string_view from, std::string_view to) const;
    [[nodiscard]] Status remove(std::string_view kernel) const;
    /// Writes out what was changed.
    [[nodiscard]] Status sync() const;

   private:
    explicit Esp(std::string place) : place_(std::move(place)) {}

    std::string place_;  // empty: moved from
};

}  // namespace thole::upgrade
