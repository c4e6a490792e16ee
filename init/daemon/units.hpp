// Reads the unit files of a node's directories into checked units: for PID 1 at boot and at a reload, and for `thole
// lint` anywhere.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "config/node_config.hpp"
#include "supervisor/graph.hpp"

namespace thole {

/// Of the image, of the data disk, of this boot; a file of a later one replaces one of the same name. Directories that
/// do not exist are empty.
inline constexpr std::array<std::string_view, 3> kUnitDirectories{"/usr/lib/thole/units", "/var/lib/thole/units",
                                                                  "/run/thole/units"};

/// The files that say something about units, found but not read.
class UnitFiles {
   public:
    /// Lists DIRECTORY/NAME.unit and DIRECTORY/NAME.unit.d/*.conf. Errors: a directory that exists cannot be listed.
    static Result<UnitFiles> find(std::span<const std::string_view> directories);

    /// The unit's own file, then its drop-ins (for an instance those of its template before its own). Empty where there
    /// is no such unit.
    [[nodiscard]] Result<std::vector<UnitText>> read(std::string_view name) const;

    [[nodiscard]] bool has(std::string_view name) const;

    /// All units that are no templates, and templates as "name@".
    [[nodiscard]] std::vector<std::string_view> names() const;

    /// The instances of templates that have drop-ins of their own, as `thole enable` makes them.
    [[nodiscard]] std::vector<std::string_view> instances() const;

   private:
    struct File {
        std::string unit;
        std::string path;
        bool drop_in;
    };
    [[nodiscard]] const File* file_of(std::string_view unit) const;
    Status list(std::string_view directory);
    Status list_drop_ins(std::string_view directory, const std::string& folder);

    std::vector<File> files_;  // in the order of directories and names; the last own file of a name holds
};

/// Puts the node's keys into values when units are read; `$$` stays for the second step, the service's environment at
/// its start. `config` outlives it.
Expander unit_expander(const NodeConfig& config);

/// All units, instances that others or `instances` name among them. Every error of every file is collected, so that a
/// person mends them in one go.
Result<std::vector<Unit>> load_units(std::span<const std::string_view> directories, const Expander& expand,
                                     const std::vector<std::string>& instances, std::vector<Error>& errors);

}  // namespace thole
