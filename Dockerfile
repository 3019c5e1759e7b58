# An image that holds the command and nothing else: no shell, no root, one folder that can be written.
# It was not built where it was written: there is no container engine there. What it relies on is tested without one, in
# TestFirstContact (make first-contact): the static binary as a user without a name and a home, in an empty root with one
# folder that it may write.
#
#	docker build -t dashhost .
#	docker run --rm dashhost new /data/demo --example merge-gate    # into a volume: -v demo:/data
#	docker run --rm -v "$PWD:/data" --user "$(id -u):$(id -g)" dashhost run workflow.yaml

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /out/dashhost ./cmd/dashhost && mkdir /out/data

FROM scratch
COPY --from=build /out/dashhost /dashhost
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
WORKDIR /data
VOLUME /data
ENV DASHHOST_CACHE_DIR=/data/.dashhost/cache
ENTRYPOINT ["/dashhost"]
