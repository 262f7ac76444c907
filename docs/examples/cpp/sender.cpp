// A cytometer for Cellgate, with synthetic cells in place of a camera.
//
//     cellgate-sender ENDPOINT SERIES CELLS RATE [CHANNELS HEIGHT WIDTH]
//
// Prints the totals of the series as one line of JSON. Exit status: 0 the series ended as it should, 1 an error,
// 2 wrong arguments, 3 the streamer refused the series, 4 no answer, 5 the series was closed before its end.

#include "cellgate.hpp"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <random>
#include <sstream>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "frames are sent as they lie in memory, and the wire is little-endian"
#endif

namespace {

using cellgate::Clock;
using cellgate::Dealer;
using cellgate::Header;
using cellgate::Message;
using cellgate::Nanoseconds;
using std::chrono::seconds;

constexpr int attempts = 30;
constexpr std::uint64_t max_cells_per_message = 64;

struct Options {
    std::string endpoint;
    std::string series;
    std::uint64_t cells = 0;
    double rate = 0;
    std::vector<std::string> channels{"brightfield", "PI", "darkfield"};
    std::uint32_t height = 64;
    std::uint32_t width = 64;
};

/// The hardware counter: nanoseconds of the steady clock. A camera gives its own counter instead.
std::uint64_t ticks_at(Clock::time_point when) {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<Nanoseconds>(when.time_since_epoch()).count());
}

/// Noise and one bright disc, differently bright in each channel.
class Camera {
public:
    explicit Camera(const Options& options)
        : height_(options.height), width_(options.width), channels_(options.channels.size()) {}

    void expose(std::vector<std::uint16_t>& frames) {
        const float radius = 0.2F * static_cast<float>(std::min(height_, width_)) * (1.0F + 0.5F * unit());
        const float y0 = static_cast<float>(height_) * (0.45F + 0.1F * unit());
        const float x0 = static_cast<float>(width_) * (0.45F + 0.1F * unit());
        for (std::size_t channel = 0; channel < channels_; ++channel) {
            const auto signal = static_cast<std::uint32_t>(1000 * (channel + 1));
            for (std::uint32_t y = 0; y < height_; ++y) {
                for (std::uint32_t x = 0; x < width_; ++x) {
                    const float dy = static_cast<float>(y) - y0;
                    const float dx = static_cast<float>(x) - x0;
                    const bool inside = dy * dy + dx * dx < radius * radius;
                    const auto noise = static_cast<std::uint32_t>(random_() & 63U);
                    frames.push_back(static_cast<std::uint16_t>(200U + noise + (inside ? signal : 0U)));
                }
            }
        }
    }

private:
    float unit() { return static_cast<float>(random_() & 0xffffU) / 65536.0F; }

    std::uint32_t height_;
    std::uint32_t width_;
    std::size_t channels_;
    std::mt19937 random_{1};
};

/// One series from start to totals.
class Series {
public:
    explicit Series(Options options) : options_(std::move(options)), socket_(options_.endpoint), camera_(options_) {}

    int run() {
        if (const int status = start(); status != 0) {
            return status;
        }
        send_cells();
        if (!totals_) {
            end();
        }
        if (!totals_) {
            std::cerr << "no totals: the streamer does not answer\n";
            return 4;
        }
        std::cout << totals_->header.get() << std::endl;
        return totals_->get<std::string>("ended") == "end" ? 0 : 5;
    }

private:
    /// The start message is repeated until it is answered: a repetition is answered like the first.
    int start() {
        for (int attempt = 0; attempt < attempts; ++attempt) {
            send_start();
            const auto until = Clock::now() + seconds(1);
            while (Clock::now() < until) {
                const auto message = socket_.receive(until - Clock::now());
                if (!message) {
                    continue;
                }
                if (message->type() == "accepted" && message->get<std::string>("series") == options_.series) {
                    schema_ = message->get<std::uint64_t>("schema");
                    heartbeat_ = std::chrono::duration_cast<Nanoseconds>(
                        std::chrono::duration<double>(message->get<double>("heartbeat_s") / 2));
                    return 0;
                }
                if (message->type() == "refused") {
                    std::cerr << "refused: " << message->header.get() << "\n";
                    return 3;
                }
            }
        }
        std::cerr << "the streamer does not answer at " << options_.endpoint << "\n";
        return 4;
    }

    void send_start() {
        Header header("start", 4);
        header.put("version", cellgate::protocol_version).put("series", options_.series);
        auto& out = header.packer();
        out.pack("schema");
        out.pack_map(4);
        header.put("channels", options_.channels).put("dtype", "uint16");
        header.put("timebase", std::array<std::uint64_t, 2>{1, 1'000'000'000});
        header.put("shape", std::array<std::uint32_t, 2>{options_.height, options_.width});
        header.put("ticks", ticks_at(Clock::now()));
        socket_.send(header);
    }

    /// Cells leave at times fixed beforehand, so that a slow streamer does not slow the cells that test it.
    void send_cells() {
        const auto begin = Clock::now();
        const auto due = [&](std::uint64_t seq) {
            const std::chrono::duration<double> after(static_cast<double>(seq) / options_.rate);
            return begin + std::chrono::duration_cast<Nanoseconds>(after);
        };
        std::uint64_t seq = 0;
        while (seq < options_.cells && !totals_) {
            const auto now = Clock::now();
            std::uint64_t end = seq;
            while (end < options_.cells && end - seq < max_cells_per_message && due(end) <= now) {
                ++end;
            }
            if (end > seq) {
                std::vector<std::uint64_t> triggers;
                for (std::uint64_t i = seq; i < end; ++i) {
                    triggers.push_back(ticks_at(due(i)));
                }
                send_block(seq, triggers);
                seq = end;
            }
            beat(now);
            const bool behind = seq < options_.cells && due(seq) <= Clock::now();
            const auto wake = seq < options_.cells ? std::min(due(seq), next_heartbeat_) : Clock::now();
            listen(behind ? Nanoseconds::zero() : wake - Clock::now());
        }
    }

    /// n consecutive cells in one message. A full queue loses them, as a camera cannot wait: the gap in seq tells.
    void send_block(std::uint64_t seq, const std::vector<std::uint64_t>& triggers) {
        frames_.clear();
        for (std::size_t i = 0; i < triggers.size(); ++i) {
            camera_.expose(frames_);
        }
        Header header("cells", 5);
        header.put("series", options_.series).put("seq", seq).put("n", triggers.size()).put("schema", schema_);
        header.put_bytes("ticks", triggers);
        if (!socket_.send(header, frames_.data(), frames_.size() * sizeof frames_[0])) {
            std::cerr << "the queue is full: " << triggers.size() << " cells from seq " << seq << " were not sent\n";
        }
    }

    /// Twice per interval, so that one late heartbeat does no harm. It carries the counter at this very moment.
    void beat(Clock::time_point now) {
        if (now < next_heartbeat_) {
            return;
        }
        Header header("heartbeat", 2);
        header.put("series", options_.series).put("ticks", ticks_at(Clock::now()));
        socket_.send(header);
        next_heartbeat_ = now + heartbeat_;
    }

    /// Nothing but totals matters here: status, the answer to heartbeats, is for a display.
    void listen(Nanoseconds timeout) {
        auto message = socket_.receive(timeout);
        if (message && message->type() == "totals" && message->get<std::string>("series") == options_.series) {
            totals_ = std::move(message);
        }
    }

    /// The end message, too, is repeated until it is answered. It names the last seq, so that lost tails are known.
    void end() {
        for (int attempt = 0; attempt < attempts && !totals_; ++attempt) {
            Header header("end", 2);
            header.put("series", options_.series).put("last_seq", static_cast<std::int64_t>(options_.cells) - 1);
            socket_.send(header);
            const auto until = Clock::now() + seconds(1);
            while (Clock::now() < until && !totals_) {
                listen(until - Clock::now());
            }
        }
    }

    Options options_;
    Dealer socket_;
    Camera camera_;
    std::vector<std::uint16_t> frames_;
    std::uint64_t schema_ = 0;
    Nanoseconds heartbeat_{};
    Clock::time_point next_heartbeat_{};
    std::optional<Message> totals_;
};

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> names;
    std::istringstream stream(text);
    for (std::string name; std::getline(stream, name, ',');) {
        names.push_back(name);
    }
    return names;
}

std::optional<Options> parse(int argc, char** argv) {
    if (argc != 5 && argc != 8) {
        return std::nullopt;
    }
    Options options;
    options.endpoint = argv[1];
    options.series = argv[2];
    options.cells = std::stoull(argv[3]);
    options.rate = std::stod(argv[4]);
    if (argc == 8) {
        options.channels = split(argv[5]);
        options.height = static_cast<std::uint32_t>(std::stoul(argv[6]));
        options.width = static_cast<std::uint32_t>(std::stoul(argv[7]));
    }
    if (!(options.rate > 0) || options.channels.empty() || options.height == 0 || options.width == 0) {
        return std::nullopt;
    }
    return options;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const auto options = parse(argc, argv);
        if (!options) {
            std::cerr << "usage: cellgate-sender ENDPOINT SERIES CELLS RATE [CHANNELS HEIGHT WIDTH]\n"
                         "  RATE in cells per second, CHANNELS as names with commas between them\n";
            return 2;
        }
        return Series(*options).run();
    } catch (const std::exception& error) {
        std::cerr << "cellgate-sender: " << error.what() << "\n";
        return 1;
    }
}
