#include "worker/run_command.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>

#include "connector/settings.h"
#include "worker/commands.h"
#include "worker/leadership.h"
#include "worker/probes.h"
#include "worker/profiler.h"

enum { SAME_SIGNAL_MS = 500 };

/* SIGTERM and SIGINT come through a descriptor; SIGPIPE is nobody's. */
static int block_signals(void)
{
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    CHECK(sigprocmask(SIG_BLOCK, &stops, NULL) == 0);
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    int fd = signalfd(-1, &stops, SFD_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

static const char *read_signal(int fd)
{
    struct signalfd_siginfo info;
    memset(&info, 0, sizeof(info));
    if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return "?";
    return info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM";
}

/* Returns when the connector is over. A second signal leaves the process at once; one that comes
 * with the first is the same wish, since wrappers signal a process and then its group. */
static void wait_until_over(struct connector *connector, int signals, struct log *log)
{
    struct clock clock = clock_system();
    bool stopping = false;
    mono_ms_t since = { 0 };
    for (;;) {
        struct pollfd fds[] = { { .fd = signals, .events = POLLIN },
                                { .fd = connector_over_fd(connector), .events = POLLIN } };
        if (poll(fds, COUNT_OF(fds), -1) < 0)
            continue;
        if ((fds[1].revents & POLLIN) != 0)
            return;
        if ((fds[0].revents & POLLIN) == 0)
            continue;
        const char *name = read_signal(signals);
        if (stopping && mono_ms_since(clock_now(&clock), since) < SAME_SIGNAL_MS)
            continue;
        if (stopping) {
            log_warn(log, "second signal: leaving at once; what is unconfirmed comes again",
                     LOG_STR("signal", name));
            _exit(EXIT_CODE_AT_ONCE);
        }
        stopping = true;
        since = clock_now(&clock);
        log_info(log, "asked to stop", LOG_STR("signal", name));
        connector_stop(connector);
    }
}

static void greet(struct log *log, const struct config *config, const struct connector *connector)
{
    log_info(log, "pqcdc starts", LOG_STR("version", PQCDC_VERSION),
             LOG_STR("librdkafka", rd_kafka_version_str()), LOG_STR("host", config->cdc_host),
             LOG_STR("database", config->cdc_database), LOG_STR("slot", config->cdc_slot_name),
             LOG_STR("publication", config->cdc_publication_name),
             LOG_INT("http_port", connector_port(connector)), LOG_INT("pid", getpid()));
}

static bool start(const struct connector_options *options, struct probes *probes,
                  struct connector **out_connector, struct error *err)
{
    if (!connector_new(options, out_connector, err))
        return false;
    probes->connector = *out_connector;
    return connector_start(*out_connector, err);
}

static enum exit_code cannot_start(struct log *log, const struct error *err)
{
    log_failure(log, LOG_ERROR, "cannot start", err);
    return exit_codes_of(err);
}

static enum exit_code run_with(const struct arguments *arguments, const struct config *config,
                               struct log *log, int signals)
{
    struct probes probes;
    probes_init(&probes);
    struct error err = ERROR_INIT;
    AUTO(struct leadership *, leadership_stop_p) leadership = NULL;
    AUTO(struct connector *, connector_free_p) connector = NULL;
    struct connector_options options = {
        .config = config,
        .log = log,
        .sink = arguments->sink,
        .routes = probes.routes,
        .route_count = COUNT_OF(probes.routes),
    };
    if (leadership_is_leased(config)) {
        if (!leadership_start(config, log, &leadership, &err))
            return cannot_start(log, &err);
        options.gate = leadership_gate(leadership);
        options.instance = leadership_instance(leadership);
        probes.leadership = leadership;
    }
    if (!start(&options, &probes, &connector, &err))
        return cannot_start(log, &err);
    greet(log, config, connector);
    wait_until_over(connector, signals, log);
    bool stopped = connector_join(connector, &err);
    if (leadership != NULL)
        leadership_leave(leadership); /* last: nothing of ours can be written any more */
    if (!stopped) {
        log_failure(log, LOG_ERROR, "halted: a person must act", &err);
        return exit_codes_of(&err);
    }
    log_info(log, "stopped");
    return EXIT_CODE_OK;
}

static void warn_of_debug_mode(struct log *log, const struct error *unprofiled)
{
    log_warn(log, "cdc.debugMode is on: whoever reaches the HTTP port can read profiles and slow "
                  "the line down by them");
    if (unprofiled->class != ERROR_NONE)
        log_failure(log, LOG_WARN, "no profiles", unprofiled);
}

enum exit_code run_command(const struct arguments *arguments, const struct config *config)
{
    struct error unprofiled = ERROR_INIT;
    /* Before the new beginning: PID 1 would be deaf to a signal that comes in between. */
    int signals = block_signals();
    if (config->cdc_debug_mode && !arguments->profiled)
        profiler_begin(arguments, &unprofiled);
    struct log *log = settings_log(config);
    if (config->cdc_debug_mode)
        warn_of_debug_mode(log, &unprofiled);
    enum exit_code code = run_with(arguments, config, log, signals);
    log_free(log);
    close(signals);
    return code;
}
