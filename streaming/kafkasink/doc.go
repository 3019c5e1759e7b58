// Package kafkasink takes events to a topic of Apache Kafka, and reads them there. The client is franz-go.
//
// # Records
//
// A record's key is the thread, its value a frame of dashstream.v1 (package eventpb), its headers those of the event, and its timestamp
// the event's time in milliseconds. Threads are spread over partitions by murmur2, as Kafka's own clients do, so the events of a thread
// stay in order. Batches are compressed besides; consumers do not notice. Topics are never made here:
//
//	kafka-topics.sh --bootstrap-server HOST:PORT --create --topic dashstream-events --partitions 6
//
// # URL
//
//	kafka://[USER[:PASSWORD]@]HOST[:PORT][,HOST[:PORT]...][/TOPIC][?NAME=VALUE&...]
//
// PORT is 9092 and TOPIC dashstream-events unless it is said. What has a meaning in URLs is written with %, also in a password. The
// parameters, each at most once:
//
//	tls            true: encrypted. Any of the next four says so too
//	ca             file with the authorities that brokers are signed by; default those of the system
//	cert, key      files with the client's certificate and key
//	server_name    that brokers must prove to be; default the host of each
//	sasl           plain, scram-sha-256, scram-sha-512 or oauthbearer
//	password_file  file with the password, read at each authentication
//	token_file     the same for oauthbearer
//	client_id      what brokers call this client in their logs; default dashhost
//	compression    zstd, lz4 or none; default lz4: what is large is compressed in its frame already
//	timeout        how long a record may take, as 10s; default 10s
//	records        how many may be on their way; default 20000
//	bytes          how large these may be; default 33554432
//
// A secret that the URL does not hold comes from DASHHOST_KAFKA_PASSWORD, or DASHHOST_KAFKA_TOKEN for oauthbearer. Redact hides the one
// in a URL; no error and no log shows it.
//
// # Delivery
//
// Write returns when every in-sync replica has the records. The producer is idempotent, so what the client tries again by itself is
// there once. Records go in rounds: all of a round are handed to the client before the first one leaves, and all have an outcome
// before the next begins. In a round the client fails, with a record, all later ones of the same partition, so Write can report the first
// failure and be called again from there without mixing up a thread. What is in the topic behind that failure, in other partitions, is
// remembered for the next Write of the stream and not sent twice.
//
// How a failure is classified:
//
//	class        when
//	too_large    larger than the topic's max.message.bytes, said by the client or the broker
//	permanent    the broker refuses this record: its time, its content, a policy
//	unavailable  not written: no broker could be connected, the topic is not there, the identity is refused
//	unknown      no answer in time, although a broker was connected; it may be in the topic, and tried again it may be there twice
//
// A repeated event has its id and its number in the thread again. Whoever must not count it twice remembers the last number of each
// thread (streaming.Sequences does), or ids.
//
// # Bounds
//
// At most Options.Records and Options.Bytes are on their way, whatever happens; a broker that is away costs no memory beyond that.
// Options.Timeout bounds a round, as of its begin. It is not the client's own delivery timeout: that one counts from the timestamp,
// which is the event's, and would give up events of yesterday before they were tried. Close takes twice the timeout at most.
package kafkasink
