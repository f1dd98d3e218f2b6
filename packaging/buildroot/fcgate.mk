################################################################################
#
# fcgate
#
################################################################################

FCGATE_VERSION = 0.1.0
FCGATE_SOURCE = fcgate-$(FCGATE_VERSION).tar.xz
FCGATE_SITE = https://fcgate.example.org/releases
FCGATE_LICENSE = MIT
FCGATE_LICENSE_FILES = LICENSE
FCGATE_INSTALL_STAGING = YES
FCGATE_DEPENDENCIES = host-pkgconf inih libmicrohttpd
FCGATE_CONF_OPTS = \
	-Dlibmicrohttpd=system \
	-Dinih=system \
	-Dtests=disabled \
	-Dexamples=disabled

ifeq ($(BR2_PACKAGE_FCGATE_AUTH),y)
FCGATE_CONF_OPTS += -Dauth=enabled
FCGATE_DEPENDENCIES += $(if $(BR2_PACKAGE_LIBXCRYPT),libxcrypt)
else
FCGATE_CONF_OPTS += -Dauth=disabled
endif

ifeq ($(BR2_PACKAGE_FCGATE_TLS),y)
FCGATE_CONF_OPTS += -Dtls=enabled
FCGATE_DEPENDENCIES += gnutls
else
FCGATE_CONF_OPTS += -Dtls=disabled
endif

ifeq ($(BR2_INIT_SYSTEMD),y)
FCGATE_CONF_OPTS += -Dsystemd_unit_dir=/usr/lib/systemd/system
# Buildroot enables every unit that is there; the service opens its ports by
# itself.
define FCGATE_REMOVE_SOCKET_UNIT
	rm -f $(TARGET_DIR)/usr/lib/systemd/system/fcgate.socket
endef
FCGATE_POST_INSTALL_TARGET_HOOKS += FCGATE_REMOVE_SOCKET_UNIT
endif

# Where Buildroot's php-fpm listens.
define FCGATE_ADAPT_CONFIGURATION
	$(SED) 's,^address = .*,address = unix:/var/run/php-fpm.sock,' \
		-e 's,^root = .*,root = /var/www,' \
		$(TARGET_DIR)/etc/fcgate.conf
	mkdir -p $(TARGET_DIR)/var/www
endef
FCGATE_POST_INSTALL_TARGET_HOOKS += FCGATE_ADAPT_CONFIGURATION

define FCGATE_INSTALL_INIT_SYSV
	$(INSTALL) -D -m 0755 $(FCGATE_PKGDIR)/S50fcgate \
		$(TARGET_DIR)/etc/init.d/S50fcgate
endef

$(eval $(meson-package))
