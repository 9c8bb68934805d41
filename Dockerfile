# The image: one static binary on a base that has nothing but certificates, as a user who is nobody. It writes to /data alone.
#   docker build --build-arg VERSION=$(git describe --tags --always) -t baseliner .
# The bases may be others: BUILD needs Go and a shell, BASE certificates at most.
ARG BUILD=docker.io/library/golang:1.26-bookworm
ARG BASE=gcr.io/distroless/static-debian12:nonroot

FROM ${BUILD} AS build
ARG VERSION=dev
WORKDIR /src
COPY go.mod go.sum ./
COPY cmd cmd
COPY pkg pkg
# The same source gives the same bytes: no paths, no build id, no state of a checkout.
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=${VERSION}" -o /out/baseliner ./cmd/baseliner

FROM ${BASE}
ARG VERSION=dev
LABEL org.opencontainers.image.title="baseliner" org.opencontainers.image.licenses="Apache-2.0" org.opencontainers.image.version="${VERSION}"
COPY --from=build /out/baseliner /baseliner
COPY config/baseliner.yml /etc/baseliner/baseliner.yml
USER 65532:65532
EXPOSE 9780 9782
ENTRYPOINT ["/baseliner"]
# Pages and APIs for the pod alone; probes and metrics for the kubelet and Prometheus.
CMD ["run", "--config.file=/etc/baseliner/baseliner.yml", "--storage.path=/data", "--web.probe-address=:9782"]
