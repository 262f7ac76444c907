// A sorter for Cellgate that prints what a real one would act on.
//
//     cellgate-receiver ENDPOINT [SECONDS]
//
// Prints each decision, and at last the totals, as one line of JSON; stops at the totals or after SECONDS.
// Exit status: 0 nothing was missed, 1 an error, 2 wrong arguments, 3 refused, 4 decision messages were missed.

#include "cellgate.hpp"

#include <algorithm>
#include <iostream>

namespace {

using cellgate::Clock;
using cellgate::Dealer;
using cellgate::Decision;
using cellgate::Header;
using cellgate::Message;
using cellgate::Nanoseconds;

constexpr auto heartbeat = std::chrono::milliseconds(500);  // half of the default interval
constexpr auto silence = std::chrono::seconds(5);

/// What the codes in a series' records mean.
struct Legend {
    std::string series;
    std::vector<std::string> classes;
    std::vector<std::string> ways;
    std::vector<std::string> reasons;
};

class Receiver {
public:
    Receiver(const std::string& endpoint, std::optional<Nanoseconds> limit)
        : socket_(endpoint), until_(limit ? Clock::now() + *limit : Clock::time_point::max()) {}

    int run() {
        auto heard = Clock::now() - 2 * silence;
        auto next_heartbeat = Clock::now();
        while (Clock::now() < until_ && !done_) {
            const auto now = Clock::now();
            if (now - heard > silence) {
                // At first, and when the streamer was restarted: it knows its sorters by their subscription.
                socket_.send(Header("subscribe", 2).put("version", cellgate::protocol_version).put("name", "receiver"));
                heard = now;
            }
            if (now >= next_heartbeat) {
                socket_.send(Header("heartbeat", 0));
                next_heartbeat = now + heartbeat;
            }
            const auto message = socket_.receive(std::min(next_heartbeat, until_) - now);
            if (message) {
                heard = Clock::now();
                handle(*message);
            }
        }
        socket_.send(Header("unsubscribe", 0));
        if (refused_) {
            return 3;
        }
        if (missed_ > 0) {
            std::cerr << missed_ << " decision messages were missed\n";
            return 4;
        }
        return 0;
    }

private:
    void handle(const Message& message) {
        const std::string type = message.type();
        if (type == "legend") {
            learn(message);
        } else if (type == "decisions") {
            decide(message);
        } else if (type == "totals") {
            std::cout << message.header.get() << std::endl;
            done_ = true;
        } else if (type == "refused") {
            std::cerr << "refused: " << message.header.get() << "\n";
            done_ = refused_ = true;
        }
        // `status` only tells that the streamer is there; a type of a later protocol is none of our business.
    }

    void learn(const Message& message) {
        Legend legend{message.get<std::string>("series"), message.get<std::vector<std::string>>("classes"),
                      message.get<std::vector<std::string>>("ways"), message.get<std::vector<std::string>>("reasons")};
        const auto number = message.get<std::uint64_t>("number");
        if (legend_ && legend_->series == legend.series) {
            look_for_gap(number);  // subscribed again: what was sent meanwhile is missed
        }
        expected_ = number;  // who subscribes late begins in the middle
        legend_ = std::move(legend);
    }

    void decide(const Message& message) {
        if (!legend_ || legend_->series != message.get<std::string>("series")) {
            std::cerr << "decisions of a series without a legend\n";
            return;
        }
        const auto number = message.get<std::uint64_t>("number");
        look_for_gap(number);
        expected_ = number + 1;
        const auto n = message.get<std::uint64_t>("n");
        if (message.parts.size() != 1 || message.parts[0].size() != n * Decision::size) {
            throw std::runtime_error("decisions: the part does not hold n records");
        }
        for (std::uint64_t i = 0; i < n; ++i) {
            print(Decision(message.parts[0].data() + i * Decision::size));
        }
        std::cout.flush();
    }

    void look_for_gap(std::uint64_t number) {
        if (number > expected_) {
            missed_ += number - expected_;
            std::cerr << "gap: number " << number << " came where " << expected_ << " was due\n";
        }
    }

    void print(const Decision& decision) const {
        std::cout << "{\"seq\":" << decision.seq << ",\"class\":";
        quote(lookup(legend_->classes, decision.class_));
        std::cout << ",\"way\":";
        quote(lookup(legend_->ways, decision.way));
        std::cout << ",\"reason\":";
        quote(lookup(legend_->reasons, decision.reason));
        std::cout << ",\"confidence\":" << decision.confidence << ",\"slack_us\":";
        if (decision.slack_us == Decision::no_deadline) {
            std::cout << "null";
        } else {
            std::cout << decision.slack_us;
        }
        std::cout << "}\n";
    }

    static const char* lookup(const std::vector<std::string>& names, int code) {
        const bool known = code >= 0 && static_cast<std::size_t>(code) < names.size();
        return known ? names[static_cast<std::size_t>(code)].c_str() : nullptr;
    }

    /// msgpack prints a string as JSON does, and nil as null.
    static void quote(const char* name) {
        std::cout << (name == nullptr ? msgpack::object() : msgpack::object(name));
    }

    Dealer socket_;
    Clock::time_point until_;
    std::optional<Legend> legend_;
    std::uint64_t expected_ = 0;
    std::uint64_t missed_ = 0;
    bool done_ = false;
    bool refused_ = false;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2 && argc != 3) {
        std::cerr << "usage: cellgate-receiver ENDPOINT [SECONDS]\n";
        return 2;
    }
    try {
        std::optional<Nanoseconds> limit;
        if (argc == 3) {
            limit = std::chrono::duration_cast<Nanoseconds>(std::chrono::duration<double>(std::stod(argv[2])));
        }
        return Receiver(argv[1], limit).run();
    } catch (const std::exception& error) {
        std::cerr << "cellgate-receiver: " << error.what() << "\n";
        return 1;
    }
}
