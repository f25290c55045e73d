//! Scenarios of more than one test program.

/// A host with two ways to a server, and two hosts that have a link for themselves.
pub(crate) const PHONE: &str = "\
longwire: 1
nodes:
  phone:
    host:
      addresses: { wlan0: [192.168.1.2/24, \"fd01::2/64\"], wwan0: [10.64.0.2/24, \"fd02::2/64\"] }
      routes:
        - { to: default, via: 192.168.1.1 }
        - { to: default, via: 10.64.0.1 }
        - { to: default, via: \"fd01::1\" }
        - { to: default, via: \"fd02::1\" }
  server:
    router:
      addresses:
        eth0: [192.168.1.1/24, \"fd01::1/64\"]
        eth1: [10.64.0.1/24, \"fd02::1/64\"]
        eth2: [198.51.100.1/24, \"fd09::1/64\"]
  other: { host: { addresses: [198.51.100.2/24, \"fd09::2/64\"] } }
  lone: host
  peer: host
links:
  lane: { ends: [lone, peer] }
  wifi: { ends: [phone.wlan0, server.eth0], delay: 1ms }
  cell: { ends: [phone.wwan0, server.eth1], delay: 2ms }
  far:  { ends: [server.eth2, other] }
";
