SUMMARY = "Small HTTP server for PHP"
DESCRIPTION = "Serves files and PHP within a memory ceiling that is known before it starts; a daemon and a library."
HOMEPAGE = "https://fcgate.example.org/"
SECTION = "net"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://LICENSE;md5=971dedcff21879e4a0513a5124c8fb16"

SRC_URI = "https://fcgate.example.org/releases/fcgate-${PV}.tar.xz \
           file://fcgate.init \
           "
# Until there is a release, the archive is made as docs/porting.md says; its sum comes here.
# SRC_URI[sha256sum] = ""

DEPENDS = "inih libmicrohttpd"

inherit meson pkgconfig systemd update-rc.d useradd

# OE-core has libmicrohttpd 1.0.10. Nothing of libstdc++ is needed on the target.
EXTRA_OEMESON = "-Dlibmicrohttpd=system -Dinih=system -Dtests=disabled -Dexamples=disabled -Dservice_user=fcgate"

PACKAGECONFIG ??= "${@bb.utils.filter('DISTRO_FEATURES', 'systemd', d)} access_log doctor listing sandbox spawn spool status syslog"
PACKAGECONFIG[systemd] = "-Dsystemd_unit_dir=${systemd_system_unitdir},"
PACKAGECONFIG[access_log] = "-Daccess_log=enabled,-Daccess_log=disabled"
PACKAGECONFIG[listing] = "-Dlisting=enabled,-Dlisting=disabled"
PACKAGECONFIG[doctor] = "-Ddoctor=enabled,-Ddoctor=disabled"
PACKAGECONFIG[sandbox] = "-Dsandbox=enabled,-Dsandbox=disabled"
PACKAGECONFIG[spawn] = "-Dspawn=enabled,-Dspawn=disabled"
PACKAGECONFIG[spool] = "-Dspool=enabled,-Dspool=disabled"
PACKAGECONFIG[status] = "-Dstatus=enabled,-Dstatus=disabled"
PACKAGECONFIG[syslog] = "-Dsyslog=enabled,-Dsyslog=disabled"
PACKAGECONFIG[auth] = "-Dauth=enabled,-Dauth=disabled,virtual/crypt"
# HTTPS: libmicrohttpd has to be built with it as well.
PACKAGECONFIG[tls] = "-Dtls=enabled,-Dtls=disabled,gnutls"
# The group of PHP's socket (listen.group of the pool) must be www-data, or another one that is named here.
USERADD_PACKAGES = "${PN}"
GROUPADD_PARAM:${PN} = "--system www-data"
USERADD_PARAM:${PN} = "--system --no-create-home --home-dir / --shell /bin/false --user-group --groups www-data fcgate"

SYSTEMD_SERVICE:${PN} = "fcgate.service"
INITSCRIPT_NAME = "fcgate"
INITSCRIPT_PARAMS = "defaults 70"

do_install:append() {
    if ${@bb.utils.contains('DISTRO_FEATURES', 'sysvinit', 'true', 'false', d)}; then
        install -D -m 0755 ${UNPACKDIR}/fcgate.init ${D}${sysconfdir}/init.d/fcgate
    fi
    install -d ${D}/var/www/html
}

PACKAGES =+ "lib${BPN}"
FILES:lib${BPN} = "${libdir}/libfcgate.so.*"
FILES:${PN} += "/var/www/html ${systemd_system_unitdir}"
CONFFILES:${PN} = "${sysconfdir}/fcgate.conf"
RRECOMMENDS:${PN} = "php-fpm"
