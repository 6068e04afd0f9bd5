// Places cells in rows by simulated annealing of the wires' estimated length.
//
// Input, a text file: rows, sites, moves, seed, height of a row and width of a site in um, numbers of
// cells, pads and nets; the width of each cell in sites; x and y in um, group and mate of each pad
// (-1: none); for each net its weight, its number of pins, and for each pin the cell and the site
// in it, or -1 - pad and 0. Output: row and first site of each cell, then x and y of each pad.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

namespace {

constexpr double FIRST_UM = 20.0;  // temperature at the begin: most moves are accepted
constexpr double LAST_UM = 0.02;   // at the end: only improvements are
constexpr double LEAST_REACH = 0.06;
constexpr int PAD_EVERY = 40;  // one in so many moves exchanges pads

struct Pin {
    int cell, site;
};

struct Net {
    double weight;
    std::vector<Pin> pins;
};

struct Cell {
    int width, row, site;
    std::vector<int> nets;
};

struct Pad {
    double x, y;
    int group, mate;
    std::vector<int> nets;
};

// Ratio of the length of a rectilinear Steiner tree to the half perimeter of its pins' box, after
// C. Cheng, "RISA: accurate and efficient placement routability modeling", ICCAD 1994.
double steiner_ratio(size_t pins) {
    static const double known[] = {1, 1, 1, 1, 1.08, 1.15, 1.22, 1.28, 1.34, 1.40, 1.45};
    return pins <= 10 ? known[pins] : 1.45 + 0.027 * static_cast<double>(pins - 10);
}

void expect(bool is_right) {
    if (is_right) return;
    std::fputs("error: the input is damaged\n", stderr);
    std::exit(2);
}

template <typename Number>
Number read(const char* format) {
    Number value{};
    expect(std::scanf(format, &value) == 1);
    return value;
}

int whole() { return read<int>("%d"); }
double real() { return read<double>("%lf"); }

class Placement {
public:
    Placement() {
        rows = whole(), sites = whole();
        moves = read<long>("%ld");
        random.seed(static_cast<uint64_t>(whole()));
        row_um = real(), site_um = real();
        cells.resize(whole()), pads.resize(whole()), nets.resize(whole());
        for (auto& cell : cells) cell.width = whole();
        for (auto& pad : pads) pad = {real(), real(), whole(), whole(), {}};
        for (size_t n = 0; n < nets.size(); n++) read_net(static_cast<int>(n));
        seen.assign(nets.size(), 0);
        owner.assign(rows, std::vector<int>(sites, -1));
    }

    void run() {
        fill_rows();
        for (const auto& net : nets) costs.push_back(cost(net));
        for (long move = 0; move < moves; move++) {
            double share = static_cast<double>(move) / static_cast<double>(moves);
            if (move % 1024 == 0) temperature = FIRST_UM * std::pow(LAST_UM / FIRST_UM, share);
            reach = std::max(LEAST_REACH, 1.0 - 1.1 * share);
            if (!pads.empty() && below(PAD_EVERY) == 0)
                exchange_pads();
            else
                move_cell();
        }
    }

    void write() const {
        for (const auto& cell : cells) std::printf("%d %d\n", cell.row, cell.site);
        for (const auto& pad : pads) std::printf("%.4f %.4f\n", pad.x, pad.y);
    }

private:
    int rows, sites;
    long moves;
    double row_um, site_um, temperature = FIRST_UM, reach = 1.0;
    std::vector<Cell> cells;
    std::vector<Pad> pads;
    std::vector<Net> nets;
    std::vector<double> costs, fresh;
    std::vector<std::vector<int>> owner;  // cell of each site of each row, or -1
    std::vector<int> touched, others;
    std::vector<uint64_t> seen;
    uint64_t now = 0;
    std::mt19937_64 random;

    int below(int limit) { return static_cast<int>((random() >> 11) % limit); }
    double unit() { return static_cast<double>(random() >> 11) / 9007199254740992.0; }

    void read_net(int number) {
        Net& net = nets[number];
        net.weight = real();
        net.pins.resize(whole());
        for (auto& pin : net.pins) {
            pin = {whole(), whole()};
            bool is_pad = pin.cell < 0;
            size_t index = is_pad ? -1 - pin.cell : pin.cell;
            expect(index < (is_pad ? pads.size() : cells.size()));
            auto& list = is_pad ? pads[index].nets : cells[index].nets;
            if (list.empty() || list.back() != number) list.push_back(number);
        }
        net.weight *= steiner_ratio(net.pins.size());
    }

    // The widest cells first, each into the row with the most space.
    void fill_rows() {
        std::vector<int> order(cells.size()), used(rows, 0);
        for (size_t n = 0; n < order.size(); n++) order[n] = static_cast<int>(n);
        std::stable_sort(order.begin(), order.end(),
                         [&](int a, int b) { return cells[a].width > cells[b].width; });
        for (int index : order) {
            Cell& cell = cells[index];
            int row = static_cast<int>(std::min_element(used.begin(), used.end()) - used.begin());
            if (used[row] + cell.width > sites) {
                std::fputs("error: the cells do not fit into the rows\n", stderr);
                std::exit(3);
            }
            cell.row = row, cell.site = used[row];
            used[row] += cell.width;
            own(cell, index);
        }
    }

    void own(const Cell& cell, int index) {
        std::fill_n(owner[cell.row].begin() + cell.site, cell.width, index);
    }

    double cost(const Net& net) const {
        double left = 1e9, right = -1e9, low = 1e9, high = -1e9;
        for (const auto& pin : net.pins) {
            double x, y;
            if (pin.cell >= 0) {
                const Cell& cell = cells[pin.cell];
                x = (cell.site + pin.site) * site_um, y = (cell.row + 0.5) * row_um;
            } else {
                x = pads[-1 - pin.cell].x, y = pads[-1 - pin.cell].y;
            }
            left = std::min(left, x), right = std::max(right, x);
            low = std::min(low, y), high = std::max(high, y);
        }
        return (right - left + high - low) * net.weight;
    }

    void begin() { touched.clear(), now++; }

    void touch(const std::vector<int>& list) {
        for (int net : list)
            if (seen[net] != now) seen[net] = now, touched.push_back(net);
    }

    // Whether to keep a change of the touched nets that has been made.
    bool accept() {
        double change = 0;
        fresh.clear();
        for (int net : touched) fresh.push_back(cost(nets[net])), change += fresh.back() - costs[net];
        if (change > 0 && unit() >= std::exp(-change / temperature)) return false;
        for (size_t n = 0; n < touched.size(); n++) costs[touched[n]] = fresh[n];
        return true;
    }

    void swap_places(int a, int b) {
        std::swap(pads[a].x, pads[b].x), std::swap(pads[a].y, pads[b].y);
        if (pads[a].mate >= 0) {
            Pad &first = pads[pads[a].mate], &second = pads[pads[b].mate];
            std::swap(first.x, second.x), std::swap(first.y, second.y);
        }
    }

    void exchange_pads() {
        int count = static_cast<int>(pads.size()), a = below(count), b = below(count);
        if (a == b || pads[a].group != pads[b].group) return;
        if ((pads[a].mate < 0) != (pads[b].mate < 0)) return;
        begin();
        for (int index : {a, b}) {
            touch(pads[index].nets);
            if (pads[index].mate >= 0) touch(pads[pads[index].mate].nets);
        }
        swap_places(a, b);
        if (!accept()) swap_places(a, b);
    }

    // Moves a cell to other sites; whole cells that are there take its place.
    void move_cell() {
        int index = below(static_cast<int>(cells.size()));
        Cell& cell = cells[index];
        int far_rows = std::max(1, static_cast<int>(rows * reach));
        int far_sites = std::max(4, static_cast<int>(sites * reach));
        int row = cell.row + below(2 * far_rows + 1) - far_rows;
        int site = cell.site + below(2 * far_sites + 1) - far_sites;
        if (row < 0 || row >= rows || site < 0 || site + cell.width > sites) return;
        if (owner[row][site] >= 0) site = cells[owner[row][site]].site;
        if (site + cell.width > sites || !whole_cells(index, row, site)) return;
        begin();
        touch(cell.nets);
        for (int other : others) touch(cells[other].nets);
        int old_row = cell.row, old_site = cell.site;
        relocate(cell, row, site, old_row, old_site);
        if (!accept()) {
            relocate(cell, old_row, old_site, row, site);
            return;
        }
        std::fill_n(owner[old_row].begin() + old_site, cell.width, -1);
        own(cell, index);
        for (int other : others) own(cells[other], other);
    }

    // Lists the cells on the sites that a cell would take; false if it would cut one, or itself.
    bool whole_cells(int index, int row, int site) {
        const Cell& cell = cells[index];
        bool overlaps = row == cell.row && std::abs(site - cell.site) < cell.width;
        others.clear();
        for (int at = site; at < site + cell.width;) {
            int other = owner[row][at];
            if (other < 0 || (overlaps && other == index)) {
                at++;
                continue;
            }
            at = cells[other].site + cells[other].width;
            if (overlaps || at > site + cell.width) return false;
            others.push_back(other);
        }
        return !overlaps || site != cell.site;
    }

    void relocate(Cell& cell, int row, int site, int old_row, int old_site) {
        cell.row = row, cell.site = site;
        for (int other : others) {
            cells[other].row = old_row;
            cells[other].site += old_site - site;
        }
    }
};

}  // namespace

int main(int count, char** arguments) {
    expect(count == 2 && std::freopen(arguments[1], "r", stdin));
    Placement placement;
    placement.run();
    placement.write();
}
