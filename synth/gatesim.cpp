// Event-driven gate-level simulation with inertial delays of their own for every placed cell, arc
// and state; energies are added up by cell. See gatesim.py for the files.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <queue>
#include <vector>

namespace {

constexpr int kInputs = 8;
constexpr int kOutputs = 4;

// Events between two changes from outside after which a netlist is taken to oscillate: a glitch
// or two in every cell are far fewer.
constexpr int64_t kEventsAtLeast = 1000000;
constexpr int64_t kEventsForEachCell = 1000;

// What a toggle of one input does in one state.
struct Step {
  int32_t after;
  int32_t changed;             // bit o: output o changes
  int32_t values;              // bit o: to this value
  float hidden_fj;             // taken if no output changes
  float delay_ps[kOutputs];
  float energy_fj[kOutputs];
};

struct Cell {
  int32_t inputs;
  int32_t input_nets[kInputs];
  int32_t output_nets[kOutputs];
  int32_t first_step;          // steps are numbered state * inputs + input
  int32_t state;
};

struct Toggle {
  double time_ps;
  int32_t net;
  int32_t value;
};

struct Event {
  double time_ps;
  int64_t order;
  int32_t net;
  int32_t value;
  int32_t cell;                // that drives the net, or -1
  float energy_fj;
  bool operator>(const Event& other) const {
    return time_ps != other.time_ps ? time_ps > other.time_ps : order > other.order;
  }
};

struct Reader {
  int32_t cell;
  int32_t input;
};

template <typename T>
std::vector<T> take(std::ifstream& file) {
  int64_t count = 0;
  file.read(reinterpret_cast<char*>(&count), sizeof count);
  std::vector<T> items(count);
  file.read(reinterpret_cast<char*>(items.data()), count * sizeof(T));
  if (!file) {
    std::cerr << "gatesim: the input file is damaged\n";
    std::exit(1);
  }
  return items;
}

template <typename T>
void put(std::ofstream& file, const std::vector<T>& items) {
  file.write(reinterpret_cast<const char*>(items.data()), items.size() * sizeof(T));
}

class Simulator {
 public:
  Simulator(std::vector<Cell> cells, std::vector<Step> steps, std::vector<int32_t> values)
      : cells_(std::move(cells)), steps_(std::move(steps)), values_(std::move(values)),
        readers_(values_.size()), latest_(values_.size(), -1), energy_(cells_.size(), 0.0),
        toggles_(values_.size(), 0) {
    for (size_t c = 0; c < cells_.size(); ++c)
      for (int i = 0; i < cells_[c].inputs; ++i)
        readers_[cells_[c].input_nets[i]].push_back({static_cast<int32_t>(c), i});
  }

  void schedule(double time_ps, int32_t net, int32_t value, int32_t cell, float energy_fj) {
    latest_[net] = order_;
    queue_.push({time_ps, order_++, net, value, cell, energy_fj});
  }

  void run_until(double time_ps) {
    while (!queue_.empty() && queue_.top().time_ps <= time_ps) {
      const Event event = queue_.top();
      queue_.pop();
      if (latest_[event.net] != event.order) continue;  // swallowed by a later edge
      if (values_[event.net] == event.value) continue;
      if (event.cell < 0) events_ = 0;
      if (++events_ > kEventsAtLeast + kEventsForEachCell * static_cast<int64_t>(cells_.size())) {
        std::cerr << "the netlist oscillates, through net " << event.net << "\n";
        std::exit(1);
      }
      values_[event.net] = event.value;
      ++toggles_[event.net];
      if (event.cell >= 0) energy_[event.cell] += event.energy_fj;
      for (const Reader& reader : readers_[event.net]) react(reader, event.time_ps);
    }
  }

  void forget() {
    std::fill(energy_.begin(), energy_.end(), 0.0);
    std::fill(toggles_.begin(), toggles_.end(), 0);
  }

  const std::vector<int32_t>& values() const { return values_; }
  const std::vector<double>& energy() const { return energy_; }
  const std::vector<int64_t>& toggles() const { return toggles_; }

 private:
  void react(const Reader& reader, double time_ps) {
    Cell& cell = cells_[reader.cell];
    const Step& step = steps_[cell.first_step + cell.state * cell.inputs + reader.input];
    cell.state = step.after;
    if (!step.changed) energy_[reader.cell] += step.hidden_fj;
    for (int o = 0; o < kOutputs; ++o) {
      if (!(step.changed >> o & 1)) continue;
      const int32_t value = step.values >> o & 1;
      schedule(time_ps + step.delay_ps[o], cell.output_nets[o], value, reader.cell,
               step.energy_fj[o]);
    }
  }

  std::vector<Cell> cells_;
  std::vector<Step> steps_;
  std::vector<int32_t> values_;
  std::vector<std::vector<Reader>> readers_;
  std::vector<int64_t> latest_;
  std::vector<double> energy_;
  std::vector<int64_t> toggles_;
  std::priority_queue<Event, std::vector<Event>, std::greater<Event>> queue_;
  int64_t order_ = 0;
  int64_t events_ = 0;         // since the last change from outside
};

void put_part(std::ofstream& file, const Simulator& simulator) {
  put(file, simulator.energy());
  put(file, simulator.toggles());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: gatesim INPUT OUTPUT\n";
    return 1;
  }
  std::ifstream in(argv[1], std::ios::binary);
  auto cells = take<Cell>(in);
  auto steps = take<Step>(in);
  auto values = take<int32_t>(in);
  const auto toggles = take<Toggle>(in);
  const auto samples = take<double>(in);       // times at which the watched nets are read
  const auto watched = take<int32_t>(in);
  const auto begins = take<double>(in);        // of parts whose energies are counted
  Simulator simulator(std::move(cells), std::move(steps), std::move(values));
  std::ofstream out(argv[2], std::ios::binary);
  std::vector<uint8_t> seen;
  size_t next_sample = 0, next_begin = 0;
  const auto begin_part = [&] {
    simulator.run_until(begins[next_begin]);
    if (next_begin++ > 0) put_part(out, simulator);
    simulator.forget();
  };
  const auto advance = [&](double time_ps) {
    while (next_sample < samples.size() && samples[next_sample] < time_ps) {
      while (next_begin < begins.size() && begins[next_begin] <= samples[next_sample]) begin_part();
      simulator.run_until(samples[next_sample++]);
      for (const int32_t net : watched) seen.push_back(simulator.values()[net]);
    }
    while (next_begin < begins.size() && begins[next_begin] < time_ps) begin_part();
    simulator.run_until(time_ps);
  };
  for (const Toggle& toggle : toggles) {
    advance(toggle.time_ps - 1e-6);
    simulator.schedule(toggle.time_ps, toggle.net, toggle.value, -1, 0.0F);
  }
  advance(1e300);
  put_part(out, simulator);
  put(out, seen);
  return out ? 0 : 1;
}
