# Six cities and the fibres between them. Delays are those of light in glass along the great circle, half as much again for detours.
graph [
  directed 0
  label "Backbone"
  node [ id 0 label "Hamburg"   host_bandwidth_up "20 Mbit" host_bandwidth_down "100 Mbit" ]
  node [ id 1 label "Berlin" ]
  node [ id 2 label "Frankfurt" ]
  node [ id 3 label "Munich" ]
  node [ id 4 label "Zurich" ]
  node [ id 5 label "Milano"    host_bandwidth_up "5 Mbit" host_bandwidth_down "50 Mbit" ]
  edge [ source 0 target 1 latency "1.9 ms" bandwidth "10 Gbit" packet_loss 0.0 ]
  edge [ source 0 target 2 latency "2.9 ms" bandwidth "10 Gbit" packet_loss 0.0 ]
  edge [ source 1 target 2 latency "3.2 ms" bandwidth "10 Gbit" packet_loss 0.0 ]
  edge [ source 1 target 3 latency "3.8 ms" bandwidth "2.5 Gbit" packet_loss 0.0 ]
  edge [ source 2 target 3 latency "2.3 ms" bandwidth "10 Gbit" packet_loss 0.0 ]
  edge [ source 2 target 4 latency "2.3 ms" bandwidth "10 Gbit" packet_loss 0.0005 ]
  edge [ source 3 target 4 latency "1.8 ms" bandwidth "2.5 Gbit" packet_loss 0.0 ]
  edge [ source 4 target 5 latency "1.6 ms" bandwidth "2.5 Gbit" packet_loss 0.001 ]
]
