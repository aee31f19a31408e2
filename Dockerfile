# One program for everything, in two images: one for those who have a Temporal, and one that brings it along.
#
#   docker build -t git-partition-sync .
#   docker build -t git-partition-sync:standalone --target standalone .
#
#   docker run --env-file producer.env git-partition-sync                      # says what would be done
#   docker run --env-file producer.env git-partition-sync worker
#   docker run --env-file producer.env git-partition-sync starter schedule create
#   docker run --env-file producer.env git-partition-sync:standalone -dry-run=false -run-once=false
#
# Nothing here needs BuildKit.
FROM temporalio/temporal:1.5.1 AS temporal

FROM golang:1.26-trixie AS build
WORKDIR /src
# In a layer of its own, so that it is downloaded again only when go.mod changes.
COPY go.mod go.sum ./
RUN go mod download
# With .git, from which the binaries get their version: manifests and Git servers are told it.
COPY . .
# The version of Go's FIPS 140-3 module that is built in, such as v1.0.0; the toolchain has it.
ARG GOFIPS140=off
RUN CGO_ENABLED=0 GOFIPS140="$GOFIPS140" go build -trimpath -buildvcs=true -ldflags='-s -w' -o /out/root/ ./standalone \
    && ln -s standalone /out/root/worker && ln -s standalone /out/root/starter && mkdir /out/work

FROM scratch AS lean
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
# The program goes by the name that it is called by: /worker and /starter are links to /standalone.
COPY --from=build /out/root/ /
COPY graphql/query.graphql /query.graphql
# A volume that is mounted here for the first time takes over the owner of the folder.
COPY --from=build --chown=65532:65532 /out/work /work
ENV WORKDIR=/work
USER 65532:65532
ENTRYPOINT ["/standalone"]

ARG VERSION=devel
ARG REVISION=unknown
LABEL org.opencontainers.image.title="git-partition-sync" \
      org.opencontainers.image.description="Mirrors Git branches across a network partition through an S3 bucket" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/app-sre/git-partition-sync" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"

FROM lean AS standalone
COPY --from=temporal /usr/local/bin/temporal /

# What is built unless a target is named.
FROM lean
