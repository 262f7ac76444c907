// The parts of Cellgate's wire protocol (docs/protocol.md) that a sender and a receiver share: a DEALER socket,
// MessagePack headers, decision records. One header to lift into your own code; needs libzmq and msgpack-cxx.
#pragma once

#ifndef MSGPACK_NO_BOOST
#define MSGPACK_NO_BOOST
#endif
#include <msgpack.hpp>
#include <zmq.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cellgate {

constexpr int protocol_version = 1;
constexpr std::int64_t max_part_bytes = std::int64_t{256} << 20;

using Clock = std::chrono::steady_clock;  // never set back, which a counter of trigger times must not be either
using Nanoseconds = std::chrono::nanoseconds;

/// Every return value of libzmq goes through here.
inline int check(int result, const char* action) {
    if (result == -1) {
        throw std::runtime_error(std::string(action) + ": " + zmq_strerror(zmq_errno()));
    }
    return result;
}

/// Writes one header: a MessagePack map that begins with its `type`.
class Header {
public:
    /// `fields` counts the fields to come, without `type`.
    Header(const char* type, std::uint32_t fields) : packer_(buffer_) {
        packer_.pack_map(fields + 1);
        put("type", type);
    }

    template <typename Value>
    Header& put(const char* key, const Value& value) {
        packer_.pack(key);
        packer_.pack(value);
        return *this;
    }

    /// Integers are sent little-endian, as the protocol wants them.
    Header& put_bytes(const char* key, const std::vector<std::uint64_t>& values) {
        std::string bytes;
        bytes.reserve(values.size() * 8);
        for (const std::uint64_t value : values) {
            for (int shift = 0; shift < 64; shift += 8) {
                bytes.push_back(static_cast<char>(value >> shift & 0xff));
            }
        }
        packer_.pack(key);
        packer_.pack_bin(static_cast<std::uint32_t>(bytes.size()));
        packer_.pack_bin_body(bytes.data(), static_cast<std::uint32_t>(bytes.size()));
        return *this;
    }

    msgpack::packer<msgpack::sbuffer>& packer() { return packer_; }
    const msgpack::sbuffer& bytes() const { return buffer_; }

private:
    msgpack::sbuffer buffer_;
    msgpack::packer<msgpack::sbuffer> packer_;
};

/// A received message: its header, and the raw parts after it.
struct Message {
    msgpack::object_handle header;
    std::vector<std::string> parts;

    const msgpack::object& at(std::string_view key) const {
        const msgpack::object& map = header.get();
        if (map.type == msgpack::type::MAP) {
            for (std::uint32_t i = 0; i < map.via.map.size; ++i) {
                const auto& entry = map.via.map.ptr[i];
                if (entry.key.type == msgpack::type::STR &&
                    std::string_view(entry.key.via.str.ptr, entry.key.via.str.size) == key) {
                    return entry.val;
                }
            }
        }
        throw std::runtime_error("a message of the streamer lacks '" + std::string(key) + "'");
    }

    template <typename Value>
    Value get(std::string_view key) const {
        return at(key).as<Value>();
    }

    std::string type() const { return get<std::string>("type"); }
};

/// A DEALER socket with its own context. As every ZeroMQ socket it belongs to one thread.
class Dealer {
public:
    explicit Dealer(const std::string& endpoint) : context_(zmq_ctx_new()) {
        if (context_ == nullptr) {
            throw std::runtime_error(std::string("zmq_ctx_new: ") + zmq_strerror(zmq_errno()));
        }
        socket_ = zmq_socket(context_, ZMQ_DEALER);
        try {
            check(socket_ == nullptr ? -1 : 0, "zmq_socket");
            set(ZMQ_LINGER, 200);  // milliseconds: whatever matters is acknowledged, so exit need not wait for long
            set(ZMQ_IPV6, 1);
            check(zmq_setsockopt(socket_, ZMQ_MAXMSGSIZE, &max_part_bytes, sizeof max_part_bytes), "ZMQ_MAXMSGSIZE");
            use_curve_keys();
            check(zmq_connect(socket_, endpoint.c_str()), "zmq_connect");
        } catch (...) {
            close();
            throw;
        }
    }
    Dealer(const Dealer&) = delete;
    Dealer& operator=(const Dealer&) = delete;
    ~Dealer() { close(); }

    /// Send a header and at most one part without ever waiting; false when the queue is full and nothing was sent.
    bool send(const Header& header, const void* part = nullptr, std::size_t size = 0) {
        const int more = part == nullptr ? 0 : ZMQ_SNDMORE;
        if (!send_part(header.bytes().data(), header.bytes().size(), more)) {
            return false;
        }
        return part == nullptr || send_part(part, size, 0);
    }

    /// Wait up to `timeout` for one message. One that is not MessagePack is none.
    std::optional<Message> receive(Nanoseconds timeout) {
        zmq_pollitem_t item{socket_, 0, ZMQ_POLLIN, 0};
        // Rounded up, as waiting 0 ms for what is due in 0.4 ms would spin.
        const auto wait = std::chrono::ceil<std::chrono::milliseconds>(std::max(timeout, Nanoseconds::zero()));
        const int ready = zmq_poll(&item, 1, static_cast<long>(wait.count()));
        if (ready == -1 && zmq_errno() == EINTR) {
            return std::nullopt;
        }
        if (check(ready, "zmq_poll") == 0) {
            return std::nullopt;
        }
        std::vector<std::string> parts;
        do {
            parts.push_back(receive_part());
        } while (more_parts());
        try {
            Message message;
            message.header = msgpack::unpack(parts.front().data(), parts.front().size());
            parts.erase(parts.begin());
            message.parts = std::move(parts);
            return message;
        } catch (const msgpack::unpack_error&) {
            return std::nullopt;
        }
    }

private:
    void set(int option, int value) { check(zmq_setsockopt(socket_, option, &value, sizeof value), "zmq_setsockopt"); }

    bool send_part(const void* data, std::size_t size, int more) {
        const int sent = zmq_send(socket_, data, size, ZMQ_DONTWAIT | more);
        if (sent == -1 && zmq_errno() == EAGAIN) {
            return false;
        }
        check(sent, "zmq_send");
        return true;
    }

    std::string receive_part() {
        zmq_msg_t part;
        check(zmq_msg_init(&part), "zmq_msg_init");
        const int size = zmq_msg_recv(&part, socket_, 0);
        const int error = zmq_errno();
        std::string bytes = size == -1 ? "" : std::string(static_cast<char*>(zmq_msg_data(&part)), zmq_msg_size(&part));
        check(zmq_msg_close(&part), "zmq_msg_close");
        if (size == -1) {
            throw std::runtime_error(std::string("zmq_msg_recv: ") + zmq_strerror(error));
        }
        return bytes;
    }

    bool more_parts() {
        int more = 0;
        std::size_t size = sizeof more;
        check(zmq_getsockopt(socket_, ZMQ_RCVMORE, &more, &size), "ZMQ_RCVMORE");
        return more != 0;
    }

    /// CURVE, where the environment names the key files: this program's secret one and the streamer's public one.
    void use_curve_keys() {
        const char* mine = std::getenv("CELLGATE_SECRET_KEY_FILE");
        const char* server = std::getenv("CELLGATE_SERVER_KEY_FILE");
        if (mine == nullptr && server == nullptr) {
            return;
        }
        if (mine == nullptr || server == nullptr) {
            throw std::runtime_error("CELLGATE_SECRET_KEY_FILE and CELLGATE_SERVER_KEY_FILE go together");
        }
        set_key(ZMQ_CURVE_PUBLICKEY, read_key(mine, "public-key"));
        set_key(ZMQ_CURVE_SECRETKEY, read_key(mine, "secret-key"));
        set_key(ZMQ_CURVE_SERVERKEY, read_key(server, "public-key"));
    }

    void set_key(int option, const std::string& key) {
        // With its final zero the 40 characters are Z85 text; 32 bytes would be taken as a binary key.
        check(zmq_setsockopt(socket_, option, key.c_str(), key.size() + 1), "a CURVE key");
    }

    static std::string read_key(const char* path, const std::string& name) {
        std::ifstream file(path);
        for (std::string line; std::getline(file, line);) {
            const auto at = line.find(name);
            const auto open = line.find('"');
            const auto close = line.rfind('"');
            if (at != std::string::npos && at < open && open < close) {
                return line.substr(open + 1, close - open - 1);
            }
        }
        throw std::runtime_error(std::string(path) + ": no " + name);
    }

    // Destructors cannot report: by the time these fail the process is broken beyond what it could do about it.
    void close() noexcept {
        if (socket_ != nullptr && zmq_close(socket_) == -1) {
            std::abort();
        }
        if (zmq_ctx_term(context_) == -1 && zmq_errno() != EINTR) {
            std::abort();
        }
    }

    void* context_ = nullptr;
    void* socket_ = nullptr;
};

/// One decision, as its 40 bytes say (docs/protocol.md, 'Decision record').
struct Decision {
    static constexpr std::size_t size = 40;
    static constexpr std::int32_t no_deadline = std::numeric_limits<std::int32_t>::max();

    std::uint64_t seq;
    std::uint64_t ticks;
    std::uint64_t actuate;
    std::int16_t class_;
    std::int16_t gate;
    std::uint8_t way;
    std::uint8_t reason;
    float confidence;
    std::int32_t slack_us;

    explicit Decision(const char* bytes)
        : seq(read<std::uint64_t>(bytes)),
          ticks(read<std::uint64_t>(bytes + 8)),
          actuate(read<std::uint64_t>(bytes + 16)),
          class_(static_cast<std::int16_t>(read<std::uint16_t>(bytes + 24))),
          gate(static_cast<std::int16_t>(read<std::uint16_t>(bytes + 26))),
          way(read<std::uint8_t>(bytes + 28)),
          reason(read<std::uint8_t>(bytes + 29)),
          confidence(0),
          slack_us(static_cast<std::int32_t>(read<std::uint32_t>(bytes + 36))) {
        const auto bits = read<std::uint32_t>(bytes + 32);
        static_assert(sizeof bits == sizeof confidence);
        std::memcpy(&confidence, &bits, sizeof bits);
    }

private:
    template <typename Unsigned>
    static Unsigned read(const char* bytes) {
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < sizeof(Unsigned); ++i) {
            value |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
        }
        return static_cast<Unsigned>(value);
    }
};

}  // namespace cellgate
