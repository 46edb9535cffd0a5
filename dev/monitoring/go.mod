// Nothing of it is compiled: the Prometheus Operator's module carries its CRDs, and go.sum pins what they say.
module modelmaintenance.dev/monitoring

go 1.26

require github.com/prometheus-operator/prometheus-operator v0.93.0
